#include "worker/watchdog.h"

#include <stdlib.h>
#include <string.h>

#include "app/clock.h"
#include "app/memory.h"
#include "protocol/events.h"
#include "protocol/protocol.h"
#include "worker/workers.h"

/* How long one waits whose datagrams cannot be read yet, because those before them have not been consumed. */
enum { BEHIND_MS = 1000 };

static const char feed[] = "WATCHDOG=1";

struct watchdog {
  uint64_t worker;
  uint64_t until; /* 0: it was told that nothing came */
  uint32_t period;
  uint32_t strangers; /* what other processes said since it was fed last, which does not count */
  uint32_t stranger;  /* the last of them */
};

static struct watchdog *watchdogs;
static uint32_t count;

static struct watchdog *find(uint64_t worker) {
  for (uint32_t i = 0; i < count; i++) {
    if (watchdogs[i].worker == worker) return &watchdogs[i];
  }
  return NULL;
}

static void arm(void) {
  uint64_t next = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t until = watchdogs[i].until;
    if (until != 0 && (next == 0 || until < next)) next = until;
  }
  clock_set(DEADLINE_WATCHDOG, next);
}

static struct watchdog *add(uint64_t worker) {
  watchdogs = memory_resize(watchdogs, ((size_t)count + 1) * sizeof *watchdogs);
  watchdogs[count] = (struct watchdog){.worker = worker};
  return &watchdogs[count++];
}

void watchdog_forget(uint64_t worker) {
  struct watchdog *watchdog = find(worker);
  if (!watchdog) return;
  *watchdog = watchdogs[--count];
  if (count == 0) {
    free(watchdogs);
    watchdogs = NULL;
  }
  arm();
}

void watchdog_set(struct reader *command) {
  uint64_t worker = read_u64(command);
  uint32_t period = read_u32(command);
  if (period == 0 || workers_process(worker) == 0) {
    watchdog_forget(worker);
    return;
  }
  struct watchdog *watchdog = find(worker);
  if (!watchdog) watchdog = add(worker);
  *watchdog = (struct watchdog){.worker = worker, .period = period, .until = clock_now() + period};
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
  /* The clock is not set anew for each: what is found not to be due yet when it rings is waited for then. */
}

/* What stands in a line of it, the first one; `rest` is what comes behind. */
static struct span line_of(struct span said, struct span *rest) {
  const uint8_t *end = memchr(said.data, '\n', said.length);
  size_t length = end ? (size_t)(end - said.data) : said.length;
  size_t skipped = end ? length + 1 : length;
  *rest = (struct span){.data = said.data + skipped, .length = said.length - skipped};
  return (struct span){.data = said.data, .length = length};
}

bool watchdog_hears(uint64_t worker, pid_t sender, struct span said) {
  bool is_fed = false;
  bool is_all = true;
  while (said.length > 0) {
    struct span line = line_of(said, &said);
    if (span_equals(line, feed)) is_fed = true;
    else if (line.length > 0) is_all = false;
  }
  if (!is_fed) return false;
  struct watchdog *watchdog = find(worker);
  if (watchdog) take_feed(watchdog, sender > 0 && (uint32_t)sender == workers_process(worker), sender);
  return is_all;
}

static void tell_expired(struct watchdog *watchdog) {
  watchdog->until = 0;
  struct buffer *event = events_begin(MESSAGE_watchdogExpired);
  buffer_u64(event, watchdog->worker);
  buffer_u32(event, watchdog->period);
  buffer_u32(event, watchdog->strangers);
  buffer_u32(event, watchdog->stranger);
  events_post(watchdog->worker);
}

/* What waits in its sockets was said in time, however late it is heard. */
static void check(uint64_t worker) {
  bool is_heard = workers_listen(worker);
  struct watchdog *watchdog = find(worker);
  uint64_t now = clock_now();
  if (!watchdog || watchdog->until == 0 || watchdog->until > now) return;
  if (is_heard) tell_expired(watchdog);
  else watchdog->until = now + BEHIND_MS;
}

void watchdog_check(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < count; i++) {
    if (watchdogs[i].until != 0 && watchdogs[i].until <= now) check(watchdogs[i].worker);
  }
  arm();
}

void watchdog_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    buffer_u64(out, watchdogs[i].worker);
    buffer_u64(out, watchdogs[i].until);
    buffer_u32(out, watchdogs[i].period);
  }
}

bool watchdog_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct watchdog *watchdog = add(read_u64(in));
    watchdog->until = read_u64(in);
    watchdog->period = read_u32(in);
  }
  arm();
  return !in->failed;
}
