/* The kernel's clocks, in milliseconds. */
#ifndef KEEPER_APP_CLOCK_H
#define KEEPER_APP_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, ms. */
uint64_t clock_now(void);
/* CLOCK_REALTIME - CLOCK_MONOTONIC, ms. */
uint64_t clock_realtime_offset(void);

#endif
