/* The tick: the supervisor named a time, it has come. Only one is ever pending, and it is made only when nothing else is. */
#ifndef KEEPER_SUPERVISOR_TICK_H
#define KEEPER_SUPERVISOR_TICK_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* From a commit: the next one is due at `at` (CLOCK_MONOTONIC ms), 0 for none. */
void tick_set(uint64_t at);
bool tick_is_due(void);
/* At the end of a round: makes it if it is due, nothing else is outstanding and `sweep` finds nothing more. */
void tick_consider(void (*sweep)(void));

void tick_save(struct buffer *out);
bool tick_load(struct reader *in);

#endif
