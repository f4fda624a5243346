#include "app/clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int timer_fd = -1;
static uint64_t deadlines[DEADLINES];
static uint64_t armed_for;

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

int clock_open(void) {
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  armed_for = 0;
  return timer_fd;
}

void clock_set(enum deadline deadline, uint64_t at) {
  deadlines[deadline] = at;
}

uint64_t clock_get(enum deadline deadline) {
  return deadlines[deadline];
}

bool clock_take(enum deadline deadline) {
  uint64_t at = deadlines[deadline];
  if (at == 0 || at > clock_now()) return false;
  deadlines[deadline] = 0;
  return true;
}

void clock_arm(void) {
  uint64_t next = 0;
  for (int i = 0; i < DEADLINES; i++) {
    if (deadlines[i] != 0 && (next == 0 || deadlines[i] < next)) next = deadlines[i];
  }
  if (next == armed_for) return;
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)(next / 1000), .tv_nsec = (long)(next % 1000) * 1000000}};
  if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0) armed_for = next;
}

void clock_clear(void) {
  uint64_t times;
  ssize_t n = read(timer_fd, &times, sizeof times);
  if (n == (ssize_t)sizeof times) armed_for = 0;
}
