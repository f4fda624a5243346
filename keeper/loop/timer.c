#include "loop/timer.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "app/clock.h"
#include "loop/poller.h"

static void descriptor_ready(struct watcher *watcher);

static int timer_fd = -1;
static struct watcher watcher = {.ready = descriptor_ready, .turn = TURN_TIMERS};
static uint64_t armed_for;
static struct timer *first; /* list of all timers that were ever set */

int timer_open(void) {
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timer_fd < 0) return -1;
  return poller_add(timer_fd, &watcher, EPOLLIN);
}

void timer_set(struct timer *timer, uint64_t at) {
  timer->at = at;
  timer->is_due = false;
  if (timer->is_listed) return;
  timer->is_listed = true;
  timer->next = first;
  first = timer;
}

void timer_set_by(struct timer *timer, uint64_t at) {
  if (timer->at == 0 || at < timer->at) timer_set(timer, at);
}

void timer_arm(void) {
  uint64_t next = 0;
  for (const struct timer *timer = first; timer; timer = timer->next) {
    if (timer->at != 0 && (next == 0 || timer->at < next)) next = timer->at;
  }
  if (next == armed_for) return;
  struct itimerspec when = {.it_value = {.tv_sec = (time_t)(next / 1000), .tv_nsec = (long)(next % 1000) * 1000000}};
  if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0) armed_for = next;
}

/* A timer that a callback sets again does not expire before the next round. */
static void descriptor_ready(struct watcher *self) {
  (void)self;
  uint64_t times;
  if (read(timer_fd, &times, sizeof times) == (ssize_t)sizeof times) armed_for = 0;
  uint64_t now = clock_now();
  for (struct timer *timer = first; timer; timer = timer->next) timer->is_due = timer->at != 0 && timer->at <= now;
  for (struct timer *timer = first; timer; timer = timer->next) {
    if (!timer->is_due) continue;
    timer->is_due = false;
    timer->at = 0;
    if (timer->expired) timer->expired();
  }
}
