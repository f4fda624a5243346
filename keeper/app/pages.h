/* Big buffers that exist only while they are needed: whole pages, given back to the system at once. */
#ifndef KEEPER_APP_PAGES_H
#define KEEPER_APP_PAGES_H

#include <stddef.h>

/* Zeroed, and only what is touched costs memory. Waits when there is none. */
char *pages_take(size_t bytes);
/* `most` bytes, or `least` where the address space does not have so many (ulimit -v); `*taken` is how many. */
char *pages_take_some(size_t most, size_t least, size_t *taken);
/* NULL is fine. */
void pages_free(char *pages, size_t bytes);

#endif
