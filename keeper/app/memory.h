/* Allocation that never fails: out of memory must not end the keeper, so these functions wait and retry. */
#pragma once

#include "app/basics.h"

/* Configures malloc for a small process: returns big blocks to the system at once, one arena for both threads. */
void memory_setup(void);
void *memory_take(size_t bytes);
void *memory_take_zeroed(size_t bytes);
void *memory_resize(void *old, size_t bytes);
/* Makes room for one more item in an array of `count` items that only this function has grown. */
void *memory_grow(void *array, uint32_t count, size_t item);
char *memory_copy_text(const char *bytes, size_t length);
/* A local text that is freed at the end of its scope; errno is kept. SCOPED_BUFFER and SCOPED_FD are alike. */
#define SCOPED_TEXT __attribute__((cleanup(memory_free_scoped))) char *
void memory_free_scoped(char *const *text);
/* Returns free memory to the system; call it before the keeper goes idle. */
void memory_trim(void);
/* Forks without the heap: the child must not touch what the functions above returned, and must make only async-signal-safe
 * calls. So the keeper does not take a fault at its next write to each page of its heap. */
pid_t memory_fork(void);
/* fork(2), with the heap. */
pid_t memory_fork_whole(void);
