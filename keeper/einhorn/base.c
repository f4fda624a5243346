#include "einhorn/base.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/environment.h"
#include "app/facts.h"
#include "protocol/protocol.h"

static int32_t added_nice;
static struct buffer limits; /* numbers, as on the wire without their count */
static uint32_t limit_count;

int32_t base_nice(void) {
  return added_nice;
}

static void keep_limits(const struct list *numbers) {
  buffer_free(&limits);
  limit_count = 0;
  for (uint32_t i = 0; i + 2 < numbers->count; i += 3) {
    uint64_t soft = list_number(numbers, i + 1);
    uint64_t hard = list_number(numbers, i + 2);
    struct rlimit files = {.rlim_cur = soft >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)soft,
                           .rlim_max = hard >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)hard};
    /* That one every process gets anyway. */
    if (list_number(numbers, i) == RLIMIT_NOFILE) {
      facts_set_files(files);
      continue;
    }
    for (uint32_t j = 0; j < 3; j++) buffer_u64(&limits, list_number(numbers, i + j));
    limit_count += 3;
  }
}

void base_take(struct reader fields) {
  struct list environment = read_texts(&fields);
  struct span cwd = read_bytes(&fields);
  uint32_t mask = read_u32(&fields);
  int32_t nice_value = read_i32(&fields);
  struct list numbers = read_numbers(&fields);
  if (fields.failed) return;
  environment_replace(&environment);
  char *directory = span_text(cwd);
  if (chdir(directory) == 0) facts_set_cwd(cwd);
  free(directory);
  (void)umask((mode_t)(mask & 0777));
  errno = 0;
  int own = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) added_nice = nice_value - (own + facts->raised_by);
  keep_limits(&numbers);
}

struct list base_limits(struct buffer *out, const struct list *more) {
  size_t start = out->length;
  buffer_add(out, limits.data, limits.length);
  buffer_add(out, more->data, more->length);
  return (struct list){.data = out->data + start, .length = out->length - start, .count = limit_count + more->count};
}

static void add_limits(struct buffer *out) {
  size_t count_at = out->length;
  uint32_t count = 0;
  buffer_u32(out, 0);
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
    struct rlimit limit;
    if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) < 0) continue;
    buffer_u64(out, (uint64_t)resource);
    buffer_u64(out, limit.rlim_cur == RLIM_INFINITY ? NO_LIMIT : (uint64_t)limit.rlim_cur);
    buffer_u64(out, limit.rlim_max == RLIM_INFINITY ? NO_LIMIT : (uint64_t)limit.rlim_max);
    count += 3;
  }
  buffer_set_u32(out, count_at, count);
}

static bool send_all(int channel, const struct buffer *bytes) {
  for (size_t sent = 0; sent < bytes->length;) {
    ssize_t n = send(channel, bytes->data + sent, bytes->length - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += (size_t)n;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      struct pollfd writable = {.fd = channel, .events = POLLOUT};
      (void)poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool base_say(int channel) {
  char directory[PATH_MAX];
  struct buffer frame = {0};
  mode_t mask = umask(0);
  (void)umask(mask);
  errno = 0;
  int nice_value = getpriority(PRIO_PROCESS, 0);
  uint32_t count = 0;
  while (environ[count]) count++;
  buffer_u32(&frame, 0);
  buffer_u8(&frame, COMMAND_base);
  buffer_u32(&frame, count);
  for (uint32_t i = 0; i < count; i++) buffer_text(&frame, environ[i]);
  buffer_text(&frame, getcwd(directory, sizeof directory) ? directory : "/");
  buffer_u32(&frame, (uint32_t)mask);
  buffer_u32(&frame, (uint32_t)nice_value);
  add_limits(&frame);
  buffer_set_u32(&frame, 0, (uint32_t)(frame.length - 4));
  bool said = send_all(channel, &frame);
  buffer_free(&frame);
  return said;
}

void base_save(struct buffer *out) {
  buffer_u32(out, (uint32_t)added_nice);
  buffer_u32(out, limit_count);
  buffer_add(out, limits.data, limits.length);
}

bool base_load(struct reader *in) {
  added_nice = read_i32(in);
  struct list numbers = read_numbers(in);
  if (in->failed) return false;
  buffer_free(&limits);
  buffer_add(&limits, numbers.data, numbers.length);
  limit_count = numbers.count;
  return true;
}
