/* The tick: the time that the supervisor asked for has come. At most one is pending. It normally waits until no other event is
 * outstanding. */
#pragma once

#include "protocol/wire.h"

/* From a commit: the time of the next tick (CLOCK_MONOTONIC ms); 0: none. */
void tick_set(uint64_t at);
bool tick_is_due(void);
/* At the end of a round: posts the tick if it is due, no event is outstanding, and `sweep` finds none; after a long wait
 * (tick.c) in any case. */
void tick_consider(void (*sweep)(void));

void tick_save(struct buffer *out);
bool tick_load(struct reader *in);
