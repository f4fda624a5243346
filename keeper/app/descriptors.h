/* Descriptor numbers in the state that a re-exec hands to the next image, and operations on ranges of descriptors. */
#pragma once

#include "protocol/wire.h"

/* Writes the number and keeps the descriptor open across the exec. -1 is written unchanged. */
void save_descriptor(struct buffer *out, int fd);
/* Reads the number and sets close-on-exec again. */
int load_descriptor(struct reader *in);
/* Closes a descriptor that is not needed after a failure, unless it is negative. Keeps errno. Returns -1. */
int descriptors_drop(int fd);
/* A local descriptor that is closed at the end of its scope, unless it is negative; errno is kept. */
#define SCOPED_FD __attribute__((cleanup(descriptors_close_scoped))) int
void descriptors_close_scoped(const int *fd);
/* Reads the beginning of a file of /proc as a NUL-terminated text. Returns its length; 0 with errno if it cannot be read.
 * Async-signal-safe. */
size_t descriptors_read_text(const char *path, char *text, size_t room);
/* Executes the open file, whatever its name `path` leads to now; -1 with errno. Async-signal-safe. */
int descriptors_execute(int file, const char *path, char *const *args, char *const *environment);
/* Closes all descriptors above 2 except `kept`, which it sorts; -1 with errno. Async-signal-safe. */
int descriptors_close_but(int *kept, uint32_t count);
/* Opens /dev/null for reading and writing, close-on-exec; -1 with errno. Where it is missing, as in a bare chroot, opens a
 * sealed empty file in memory: reads return end of file, writes fail. */
int descriptors_open_null(void);
/* Closes all descriptors from `from` to `to`, both included; -1 with errno. Async-signal-safe. */
int descriptors_close_range(uint32_t from, uint32_t to);
/* Sets close-on-exec on all descriptors from this number on; -1 with errno. Async-signal-safe. */
int descriptors_mark_from(uint32_t from);
