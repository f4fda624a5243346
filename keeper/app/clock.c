#include "app/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id) {
  struct timespec time = {0};
  (void)clock_gettime(id, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t clock_now(void) {
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_offset(void) {
  return read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
}
