/* Time, waiting, and random numbers. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "host/host.h"

/* Maximum number of descriptors in one poll. */
enum { MOST_WAITED = 1024 };

static value milliseconds(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) < 0) return result_of(-1);
  return value_number((double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
}

/* CLOCK_MONOTONIC, ms */
static value clock_monotonic(struct arguments *in) {
  (void)in;
  return milliseconds(CLOCK_MONOTONIC);
}

/* ms since 1970 */
static value clock_wall(struct arguments *in) {
  (void)in;
  return milliseconds(CLOCK_REALTIME);
}

static struct timespec span_of(double ms) {
  double most = 1e12;
  double bounded = ms < 0 ? 0 : ms > most ? most : ms;
  time_t seconds = (time_t)(bounded / 1e3);
  return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)((bounded - (double)seconds * 1e3) * 1e6)};
}

/* poll(bytes, count, ms): `count` pairs of 32-bit numbers, descriptor and events of poll(2). The events are replaced with those
 * that occurred. Returns the number of ready descriptors. A negative ms means no limit. */
static value clock_poll(struct arguments *in) {
  static struct pollfd waited[MOST_WAITED];
  struct bytes pairs = take_bytes(in, 0);
  u32 count = (u32)take_int(in, 1, 0, MOST_WAITED);
  double ms = take_number(in, 2);
  if (in->wrong == NULL && pairs.length / 8 < count) in->wrong = "there are fewer pairs than the count says";
  if (!are_right(in)) return VALUE_UNDEFINED;
  for (u32 i = 0; i < count; i++) {
    s32 pair[2];
    memcpy(pair, pairs.at + 8 * (size_t)i, sizeof pair);
    waited[i] = (struct pollfd){.fd = pair[0], .events = (short)pair[1]};
  }
  struct timespec span = span_of(ms);
  int ready = ppoll(waited, count, ms < 0 ? NULL : &span, NULL);
  if (ready < 0 && errno != EINTR) return result_of(-1);
  for (u32 i = 0; i < count; i++) {
    s32 events = ready > 0 ? waited[i].revents : 0;
    memcpy(pairs.at + 8 * (size_t)i + 4, &events, sizeof events);
  }
  return value_int(ready < 0 ? 0 : ready);
}

static value clock_random(struct arguments *in) {
  struct bytes bytes = take_bytes(in, 0);
  if (in->wrong == NULL && bytes.length > 256) in->wrong = "more than 256 random bytes at once";
  if (!are_right(in)) return VALUE_UNDEFINED;
  /* getrandom(2): up to 256 bytes are never cut short. */
  return result_of(getrandom(bytes.at, bytes.length, 0));
}

const struct host_function host_clock[] = {
    {"monotonicNow", 0, clock_monotonic}, {"wallNow", 0, clock_wall}, {"poll", 3, clock_poll}, {"random", 1, clock_random}, {0},
};
