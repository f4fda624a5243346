/* The kernel's clocks, in milliseconds. */
#pragma once

#include <time.h>

#include "app/basics.h"

static inline uint64_t clock_read(clockid_t id) {
  struct timespec time = {0};
  (void)clock_gettime(id, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* CLOCK_MONOTONIC, ms. */
static inline uint64_t clock_now(void) {
  return clock_read(CLOCK_MONOTONIC);
}

/* CLOCK_REALTIME - CLOCK_MONOTONIC, ms. */
static inline uint64_t clock_realtime_offset(void) {
  return clock_read(CLOCK_REALTIME) - clock_read(CLOCK_MONOTONIC);
}
