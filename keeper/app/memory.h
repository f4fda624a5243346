/* Memory that is always there: a keeper may not die of a full machine, so these wait and try again instead of failing. */
#ifndef KEEPER_APP_MEMORY_H
#define KEEPER_APP_MEMORY_H

#include <stddef.h>

/* Sets malloc up for a small process: big blocks go back to the system at once, one arena for both threads. */
void memory_setup(void);
void *memory_take(size_t bytes);
void *memory_take_zeroed(size_t bytes);
void *memory_resize(void *old, size_t bytes);
char *memory_copy_text(const char *bytes, size_t length);
/* Gives free memory back to the system; called before the keeper rests. */
void memory_trim(void);

#endif
