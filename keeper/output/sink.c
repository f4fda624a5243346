#include "output/sink.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/pages.h"

enum { REPORT_PERIOD_MS = 60 * 1000 };

void sink_start(struct sink *sink, const char *name, int fd) {
  *sink = (struct sink){.name = name, .fd = fd, .own_fd = -1, .capacity = SINK_CAPACITY};
}

/* Inherited file descriptions are shared with our parent process, so they must not become non-blocking: a pipe or a terminal is
 * opened again. EACCES: it belongs to another user. ENXIO: it has no reader now. */
static int find_kind(struct sink *sink) {
  struct stat status;
  if (fstat(sink->fd, &status) != 0) return -1;
  bool can_be_full = S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(sink->fd));
  if (S_ISSOCK(status.st_mode)) sink->kind = SINK_SOCKET;
  else if (!can_be_full) sink->kind = SINK_FILE;
  if (sink->kind != SINK_UNKNOWN) return 0;
  char path[32];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", sink->fd);
  sink->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (sink->own_fd < 0 && errno == ENXIO) return -1;
  sink->kind = sink->own_fd >= 0 ? SINK_OWN : SINK_ASKED;
  return 0;
}

static ssize_t write_asked(int fd, const char *bytes, size_t length) {
  struct pollfd asked = {.fd = fd, .events = POLLOUT};
  if (poll(&asked, 1, 0) < 0) return -1;
  if (asked.revents == 0) {
    errno = EAGAIN;
    return -1;
  }
  // pipe(7): if there is room for one page, a write of at most PIPE_BUF does not block.
  return write(fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
}

static ssize_t write_some(struct sink *sink, const char *bytes, size_t length) {
  if (sink->kind == SINK_UNKNOWN && find_kind(sink) != 0) return -1;
  switch (sink->kind) {
    case SINK_SOCKET: return send(sink->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    case SINK_OWN: return write(sink->own_fd, bytes, length);
    case SINK_ASKED: return write_asked(sink->fd, bytes, length);
    default: return write(sink->fd, bytes, length);
  }
}

static uint64_t count_lines(const char *bytes, size_t length) {
  uint64_t lines = 0;
  const char *end = bytes + length;
  while ((bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    lines++;
    bytes++;
  }
  return lines;
}

static void drop_waiting(struct sink *sink) {
  sink->lost += count_lines(sink->pages + sink->start, sink->end - sink->start);
  sink->is_torn = sink->is_midline;
  sink->open = NULL;
  sink->start = sink->end = 0;
  sink->stuck = false;
}

static bool write_stream(struct sink *sink) {
  while (sink->start < sink->end) {
    ssize_t n = write_some(sink, sink->pages + sink->start, sink->end - sink->start);
    if (n > 0) {
      sink->start += (size_t)n;
      sink->is_midline = sink->pages[sink->start - 1] != '\n';
      sink->error = 0;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    sink->stuck = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (sink->stuck) return false;
    sink->error = n < 0 ? errno : ENOSPC;
    drop_waiting(sink);
  }
  sink->start = sink->end = 0;
  sink->stuck = false;
  return true;
}

/* A message that cannot be sent is dropped. Later ones are still tried, because the message may only have been too long. */
static void write_datagrams(struct sink *sink) {
  struct mmsghdr headers[SINK_MESSAGES];
  struct iovec parts[SINK_MESSAGES];
  size_t begin = 0;
  for (size_t i = 0; i < sink->messages; i++) {
    parts[i] = (struct iovec){.iov_base = sink->pages + begin, .iov_len = sink->ends[i] - begin};
    headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    if (sink->address_length > 0) headers[i].msg_hdr.msg_name = &sink->address;
    headers[i].msg_hdr.msg_namelen = sink->address_length;
    begin = sink->ends[i];
  }
  for (size_t done = 0; done < sink->messages;) {
    int n = sendmmsg(sink->fd, headers + done, (unsigned)(sink->messages - done), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      done += (size_t)n;
      sink->error = 0;
      continue;
    }
    sink->error = errno;
    sink->lost++;
    done++;
  }
  sink->messages = 0;
  sink->start = sink->end = 0;
}

bool sink_write(struct sink *sink) {
  if (sink->kind != SINK_DATAGRAMS) return write_stream(sink);
  write_datagrams(sink);
  return true;
}

char *sink_room(struct sink *sink, size_t bytes) {
  if (!sink->pages) sink->pages = pages_take_some(SINK_CAPACITY, SINK_LEAST_CAPACITY, &sink->capacity);
  if (sink->capacity - sink->end < bytes + 1 && !sink->stuck) (void)sink_write(sink);
  if (sink->capacity - sink->end < bytes + 1) {
    memmove(sink->pages, sink->pages + sink->start, sink->end - sink->start);
    sink->end -= sink->start;
    sink->start = 0;
  }
  if (sink->capacity - sink->end < bytes + 1) return NULL;
  if (sink->is_torn) sink->pages[sink->end++] = '\n';
  sink->is_torn = false;
  return sink->pages + sink->end;
}

void sink_put(struct sink *sink, size_t bytes) {
  sink->end += bytes;
}

void sink_end_message(struct sink *sink) {
  sink->ends[sink->messages++] = sink->end;
  if (sink->messages == SINK_MESSAGES) write_datagrams(sink);
}

size_t sink_waiting(const struct sink *sink) {
  return sink->end - sink->start;
}

int sink_poll_fd(const struct sink *sink) {
  return sink->kind == SINK_OWN ? sink->own_fd : sink->fd;
}

/* The length that snprintf really wrote. */
static size_t written(size_t cap, int n) {
  return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

size_t sink_take_report(struct sink *sink, uint64_t now, char *out, size_t cap) {
  bool is_early = sink->told_at != 0 && now - sink->told_at < REPORT_PERIOD_MS;
  if (sink->stuck || (is_early && !(sink->told_failure && sink->error == 0))) return 0;
  if (sink->error != 0 && sink->told_failure) return 0;
  if (sink->error != 0) {
    const char *reason = strerrordesc_np(sink->error);
    sink->told_failure = true;
    sink->told_at = now;
    return written(cap, snprintf(out, cap, "cannot write to %s: %s; lines are lost until this succeeds again", sink->name,
                                 reason ? reason : "unknown error"));
  }
  if (!sink->told_failure && sink->lost == 0) return 0;
  int n = snprintf(out, cap, "%s %s; lines lost: %" PRIu64, sink->name, sink->told_failure ? "works again" : "was blocked",
                   sink->lost);
  if (!sink->told_failure) sink->told_at = now;
  sink->told_failure = false;
  sink->lost = 0;
  return written(cap, n);
}

void sink_rest(struct sink *sink) {
  if (sink->start < sink->end || sink->messages > 0) return;
  pages_free(sink->pages, sink->capacity);
  sink->pages = NULL;
}

void sink_stop(struct sink *sink) {
  pages_free(sink->pages, sink->capacity);
  sink->pages = NULL;
  sink->start = sink->end = sink->messages = 0;
  sink->stuck = false;
  if (sink->own_fd >= 0) (void)close(sink->own_fd);
  sink->own_fd = -1;
  if (sink->kind != SINK_DATAGRAMS) sink->kind = SINK_UNKNOWN;
}
