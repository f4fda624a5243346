#include "supervisor/channel.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "app/descriptors.h"
#include "loop/poller.h"

enum { READ_BYTES = 64 * 1024 };

static int channel = -1;
static struct watcher *watched_by;
static struct buffer out;
static size_t sent;
static bool waits_for_room;

int channel_open(struct watcher *watcher) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -1;
  if (poller_add(ends[0], watcher, EPOLLIN) < 0) {
    (void)descriptors_drop(ends[0]);
    return descriptors_drop(ends[1]);
  }
  channel = ends[0];
  watched_by = watcher;
  waits_for_room = false;
  return ends[1];
}

bool channel_take(int fd, struct watcher *watcher) {
  channel = fd;
  watched_by = watcher;
  waits_for_room = false;
  return poller_add(fd, watcher, EPOLLIN) == 0;
}

void channel_close(void) {
  if (channel >= 0) {
    poller_remove(channel, watched_by);
    (void)close(channel);
  }
  channel = -1;
  buffer_free(&out);
  sent = 0;
}

bool channel_is_open(void) {
  return channel >= 0;
}

struct buffer *channel_out(void) {
  return &out;
}

bool channel_send(void) {
  if (channel < 0) return false;
  bool is_blocked = false;
  while (sent < out.length && !is_blocked) {
    ssize_t n = send(channel, out.data + sent, out.length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (n < 0) is_blocked = true;
    else sent += (size_t)n;
  }
  if (!is_blocked) {
    sent = 0;
    if (out.capacity > 4096) buffer_free(&out);
    out.length = 0;
  } else if (sent > READ_BYTES) {
    buffer_drop(&out, sent);
    sent = 0;
  }
  if (is_blocked == waits_for_room) return true;
  waits_for_room = is_blocked;
  return poller_change(channel, watched_by, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN) == 0;
}

enum channel_result channel_read(struct buffer *in) {
  if (channel < 0) return CHANNEL_GONE;
  buffer_reserve(in, 4096);
  size_t room = in->capacity - in->length;
  ssize_t n;
  do n = recv(channel, in->data + in->length, room, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? CHANNEL_EMPTY : CHANNEL_GONE;
  if (n == 0) return CHANNEL_GONE;
  in->length += (size_t)n;
  return (size_t)n < room ? CHANNEL_EMPTY : CHANNEL_MORE;
}
