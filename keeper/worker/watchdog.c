#include "worker/watchdog.h"

#include "app/clock.h"
#include "loop/timer.h"
#include "protocol/frames.h"

/* Extra time for a worker whose datagrams cannot be read yet, because earlier ones have not been consumed. */
enum { BEHIND_MS = 1000 };

static const char feed[] = "WATCHDOG=1";

static void check_all(void);

static struct timer timer = {.expired = check_all};

static void arm(void) {
  uint64_t next = 0;
  for (uint32_t i = 0; i < worker_count(); i++) {
    uint64_t until = worker_at(i)->watchdog.until;
    if (until != 0 && (next == 0 || until < next)) next = until;
  }
  timer_set(&timer, next);
}

void watchdog_end(struct worker *worker) {
  if (worker->watchdog.period == 0) return;
  worker->watchdog = (struct watchdog){0};
  arm();
}

void watchdog_set(struct reader *fields) {
  struct command_watchdog command = read_watchdog(fields);
  struct worker *worker = worker_find(command.worker);
  if (!worker) return;
  if (command.period_ms == 0 || worker->state != WORKER_RUNNING) {
    watchdog_end(worker);
    return;
  }
  worker->watchdog = (struct watchdog){.period = command.period_ms, .until = clock_now() + command.period_ms};
  arm();
}

static void take_feed(struct watchdog *watchdog, bool is_its_own, pid_t sender) {
  if (!is_its_own) {
    watchdog->strangers++;
    watchdog->stranger = (uint32_t)sender;
    return;
  }
  watchdog->strangers = 0;
  if (watchdog->until != 0) watchdog->until = clock_now() + watchdog->period;
  /* The timer is not set for each message: if it expires too early, it is set to the next deadline. */
}

bool watchdog_hears(struct worker *worker, pid_t sender, struct span said) {
  bool is_fed = false;
  bool is_all = true;
  while (said.length > 0) {
    struct span line = span_take_line(&said);
    if (span_equals(line, feed)) is_fed = true;
    else if (line.length > 0) is_all = false;
  }
  if (!is_fed) return false;
  bool is_its_own = sender > 0 && worker->state == WORKER_RUNNING && (uint32_t)sender == worker->pid;
  if (worker->watchdog.period > 0) take_feed(&worker->watchdog, is_its_own, sender);
  return is_all;
}

static void tell_expired(struct worker *worker) {
  struct watchdog *watchdog = &worker->watchdog;
  watchdog->until = 0;
  post_event(watchdogExpired, worker->id, worker->id, watchdog->period, watchdog->strangers, watchdog->stranger);
}

/* Datagrams that wait in its sockets were sent in time, however late they are read. */
static void check(struct worker *worker) {
  bool is_heard = worker_listen(worker);
  struct watchdog *watchdog = &worker->watchdog;
  uint64_t now = clock_now();
  if (watchdog->until == 0 || watchdog->until > now) return;
  if (is_heard) tell_expired(worker);
  else watchdog->until = now + BEHIND_MS;
}

static void check_all(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (worker->watchdog.until != 0 && worker->watchdog.until <= now) check(worker);
  }
  arm();
}

void watchdog_save(struct buffer *out) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < worker_count(); i++) count += worker_at(i)->watchdog.period > 0 ? 1 : 0;
  buffer_u32(out, count);
  for (uint32_t i = 0; i < worker_count(); i++) {
    const struct worker *worker = worker_at(i);
    if (worker->watchdog.period == 0) continue;
    buffer_u64(out, worker->id);
    buffer_u64(out, worker->watchdog.until);
    buffer_u32(out, worker->watchdog.period);
  }
}

bool watchdog_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct worker *worker = worker_find(read_u64(in));
    uint64_t until = read_u64(in);
    uint32_t period = read_u32(in);
    if (worker) worker->watchdog = (struct watchdog){.period = period, .until = until};
  }
  arm();
  return !in->failed;
}
