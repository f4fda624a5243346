/* The descriptors that the keeper inherited at its start: close-on-exec at once, kept for `inheritSocket`. */
#pragma once

#include "protocol/wire.h"

/* Finds them, and makes sure that 0, 1 and 2 are open. Call it before anything else is opened. -1 with errno. */
int inherited_collect(void);
bool inherited_has(uint32_t fd);
/* Takes over one of them, which removes it from the list. -1 with errno. */
int inherited_take(uint32_t fd);

void inherited_save(struct buffer *out);
bool inherited_load(struct reader *in);
