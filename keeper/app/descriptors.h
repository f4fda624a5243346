/* Descriptor numbers in the state that is handed on to the next image of the keeper. */
#ifndef KEEPER_APP_DESCRIPTORS_H
#define KEEPER_APP_DESCRIPTORS_H

#include "protocol/wire.h"

/* Writes the number, and keeps the descriptor open across the execution. -1 is written as it is. */
void save_descriptor(struct buffer *out, int fd);
/* Reads it, and makes it close on exec again. */
int load_descriptor(struct reader *in);
/* Executes the file that is open there, whatever has become of its name, which is `path`; -1 with errno. Async-signal-safe. */
int descriptors_execute(int file, const char *path, char *const *args, char *const *environment);
/* Closes everything above 2 but these, which it sorts; -1 with errno. Async-signal-safe. */
int descriptors_close_but(int *kept, uint32_t count);
/* /dev/null for reading and writing, closed by the next exec; -1 with errno. Where there is none, as in a bare chroot, an empty
 * file in memory that stays so: reading gives its end, and writing fails. */
int descriptors_open_null(void);
/* Closes what lies between these numbers, both included; -1 with errno. Async-signal-safe. */
int descriptors_close_range(uint32_t from, uint32_t to);
/* Marks everything from a number on to be closed by the next exec; -1 with errno. Async-signal-safe. */
int descriptors_mark_from(uint32_t from);
/* The execution failed: everything above 2 is to be closed by the next exec again. */
void descriptors_close_on_exec(void);

#endif
