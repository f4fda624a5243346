/* Large buffers with a short life: whole pages, returned to the system at once. */
#pragma once

#include "app/basics.h"

/* Zeroed; only touched pages cost memory. Waits until memory is available. */
char *pages_take(size_t bytes);
/* `most` bytes, or `least` if the address space is too small for that (ulimit -v). `*taken`: the size. */
char *pages_take_some(size_t most, size_t least, size_t *taken);
/* NULL is allowed. */
void pages_free(char *pages, size_t bytes);
