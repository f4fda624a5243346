/* Allocation that never fails: out of memory must not end the keeper, so these functions wait and retry. */
#pragma once

#include <stddef.h>

/* Configures malloc for a small process: returns big blocks to the system at once, one arena for both threads. */
void memory_setup(void);
void *memory_take(size_t bytes);
void *memory_take_zeroed(size_t bytes);
void *memory_resize(void *old, size_t bytes);
char *memory_copy_text(const char *bytes, size_t length);
/* Returns free memory to the system; call it before the keeper goes idle. */
void memory_trim(void);
