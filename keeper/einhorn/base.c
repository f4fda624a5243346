#include "einhorn/base.h"

#include <limits.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "app/environment.h"
#include "app/facts.h"
#include "app/memory.h"
#include "process/defaults.h"
#include "protocol/frames.h"

bool base_is_valid(const void *fields, size_t length) {
  return wire_matches(frames_find(COMMAND_base)->signature, fields, length);
}

void base_take(struct reader fields) {
  struct command_base base = read_base(&fields);
  if (fields.failed) return;
  environment_replace(&base.environment);
  SCOPED_TEXT directory = span_text(base.cwd);
  if (chdir(directory) == 0) facts_set_cwd(base.cwd);
  (void)umask((mode_t)(base.umask & 0777));
  errno = 0;
  int own = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) defaults_set_nice(base.nice - (own + facts->raised_by));
  defaults_set_limits(&base.limits);
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
  SCOPED_BUFFER frame = {0};
  mode_t mask = umask(0);
  (void)umask(mask);
  errno = 0;
  int nice_value = getpriority(PRIO_PROCESS, 0);
  SCOPED_BUFFER texts = {0};
  size_t begin = frame_begin(&frame, COMMAND_base);
  buffer_list(&frame, buffer_pack(&texts, environ));
  buffer_text(&frame, getcwd(directory, sizeof directory) ? directory : "/");
  buffer_u32(&frame, (uint32_t)mask);
  buffer_u32(&frame, (uint32_t)nice_value);
  add_limits(&frame);
  frame_end(&frame, begin);
  return send_all(channel, &frame);
}
