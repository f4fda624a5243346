#include "supervisor/tick.h"

#include "app/clock.h"
#include "loop/timer.h"
#include "protocol/events.h"
#include "protocol/protocol.h"

/* A peer that keeps sending must not delay all deadlines. */
enum { LONGEST_WAIT_MS = 1000 };

static void expired(void);

static struct timer timer = {.expired = expired};
static uint64_t due_at;
static bool is_due;
static uint64_t consumed_then; /* events consumed when it became due */

void tick_set(uint64_t at) {
  /* The pending tick will be answered with the next time. */
  if (events_count(MESSAGE_tick) > 0) return;
  if (at == due_at) return;
  due_at = at;
  is_due = false;
  timer_set(&timer, at);
}

static void expired(void) {
  is_due = true;
  consumed_then = events_consumed();
}

bool tick_is_due(void) {
  return is_due;
}

static bool waited_too_long(void) {
  return clock_now() > due_at + LONGEST_WAIT_MS && events_consumed() > consumed_then;
}

void tick_consider(void (*sweep)(void)) {
  if (!is_due) return;
  bool forced = events_outstanding() > 0 && waited_too_long();
  if (events_outstanding() > 0 && !forced) return;
  sweep();
  if (events_outstanding() > 0 && !forced) return;
  events_happened_at(due_at);
  (void)events_begin(MESSAGE_tick);
  events_post(0);
  is_due = false;
  due_at = 0;
}

void tick_save(struct buffer *out) {
  buffer_u64(out, due_at);
}

bool tick_load(struct reader *in) {
  due_at = read_u64(in);
  timer_set(&timer, due_at);
  return !in->failed;
}
