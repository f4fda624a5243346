#include "sockets/heartbeat.h"

#include "app/clock.h"
#include "loop/timer.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"
#include "sockets/handles.h"
#include "sockets/sockets.h"

/* CONSUMED_WITHIN_MS: an event that is not consumed within this time means that the supervisor hangs. */
enum { MOST_BEATS = 4, CONSUMED_WITHIN_MS = 30 * 1000 };

struct beat {
  uint64_t handle; /* 0: free */
  uint64_t next;
  uint32_t period;
  struct buffer bytes;
};

static void beat_due(void);

static struct timer timer = {.expired = beat_due};
static struct beat beats[MOST_BEATS];

static void arm(void) {
  uint64_t next = 0;
  for (int i = 0; i < MOST_BEATS; i++) {
    if (beats[i].handle != 0 && (next == 0 || beats[i].next < next)) next = beats[i].next;
  }
  timer_set(&timer, next);
}

static struct beat *find(uint64_t handle) {
  for (int i = 0; i < MOST_BEATS; i++) {
    if (beats[i].handle == handle) return &beats[i];
  }
  return NULL;
}

static void end(struct beat *beat) {
  buffer_free(&beat->bytes);
  *beat = (struct beat){0};
}

void heartbeat_set(struct reader *fields) {
  struct command_heartbeat command = read_heartbeat(fields);
  uint64_t handle = command.handle;
  struct beat *beat = find(handle);
  if (beat && handle != 0) end(beat);
  if (command.period_ms > 0) {
    beat = find(0);
    if (!beat || handle == 0 || handles_fd(handle) < 0) {
      events_failed(COMMAND_heartbeat, handle, "heartbeat", beat ? EBADF : ENOSPC);
      return;
    }
    *beat = (struct beat){.handle = handle, .next = clock_now(), .period = command.period_ms};
    buffer_add(&beat->bytes, command.bytes.data, command.bytes.length);
  }
  arm();
}

static bool events_are_consumed(uint64_t now) {
  uint64_t oldest = events_oldest();
  return oldest == 0 || now < oldest + CONSUMED_WITHIN_MS;
}

static void beat_due(void) {
  uint64_t now = clock_now();
  for (int i = 0; i < MOST_BEATS; i++) {
    struct beat *beat = &beats[i];
    if (beat->handle == 0 || beat->next > now) continue;
    beat->next = now + beat->period;
    int fd = handles_fd(beat->handle);
    if (fd < 0) {
      end(beat);
      continue;
    }
    struct span bytes = {.data = beat->bytes.data, .length = beat->bytes.length};
    /* A lost one does no harm: the receiver waits for two periods. */
    if (events_are_consumed(now)) (void)sockets_send(&(struct destination){.fd = fd}, bytes, NULL);
  }
  arm();
}

#define SAVED(FIELD) FIELD(u64, handle) FIELD(u64, next) FIELD(u32, period)

void heartbeat_save(struct buffer *out) {
  for (int i = 0; i < MOST_BEATS; i++) {
    const struct beat *it = &beats[i];
    SAVED(SAVE)
    buffer_bytes(out, span_of(it->bytes.data, it->bytes.length));
  }
}

bool heartbeat_load(struct reader *in) {
  for (int i = 0; i < MOST_BEATS; i++) {
    struct beat *it = &beats[i];
    SAVED(LOAD)
    struct span bytes = read_bytes(in);
    buffer_add(&it->bytes, bytes.data, bytes.length);
  }
  arm();
  return !in->failed;
}
