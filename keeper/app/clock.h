/* The kernel's clocks, in milliseconds. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC, ms. */
uint64_t clock_now(void);
/* CLOCK_REALTIME - CLOCK_MONOTONIC, ms. */
uint64_t clock_realtime_offset(void);
