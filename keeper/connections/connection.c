#include "connections/connection.h"

#include <sys/epoll.h>

#include "app/admission.h"
#include "app/clock.h"
#include "app/memory.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"

enum {
  READ_BYTES = 64 * 1024, /* limit for one turn, so that no connection starves the others */
  MOST_LINES = 64,
  MOST_LINE_BYTES = 2 * 1024 * 1024,
  MOST_EVENT_BYTES = 32 * 1024 * 1024,
  HALF_LINE_MS = 30 * 1000,
  /* For all strangers together: worker events and the owner's requests never wait behind more than this. */
  MOST_STRANGERS_LINES = 16,
  MOST_STRANGERS_BYTES = 2 * 1024 * 1024,
  MOST_LINES_OF_ONE = 4, /* per user and listener */
  /* Before the supervisor knows the connection. The limit for a request's head is the one that most servers have. */
  MOST_FIRST_LINE = 64 * 1024,
  MOST_HEAD_BYTES = 16 * 1024,
};

static uint64_t bytes_held;
static uint64_t pauses;

uint64_t connection_bytes_held(void) {
  return bytes_held;
}

uint64_t connection_bytes_of(const struct connection *connection) {
  return connection->in.length + connection->out.length;
}

size_t connection_unsent(const struct connection *connection) {
  return connection->out.length - connection->sent;
}

static void tell_line(struct connection *connection, const uint8_t *bytes, size_t length) {
  struct buffer *event = events_begin(MESSAGE_line);
  const struct ucred *peer = &connection->peer;
  put_line(event, &(struct message_line){connection->id, connection->listener, (uint32_t)peer->pid, peer->uid, peer->gid,
                                         span_of(bytes, length)});
  connection->spoke = true;
  connection->queued++;
  connection->queued_bytes += event->length;
  events_post_line(connection->id, connection->is_stranger);
}

bool connection_is_full(const struct connection *connection) {
  if (connection->queued >= MOST_LINES || connection->queued_bytes > MOST_LINE_BYTES) return true;
  if (!connection->is_stranger) return events_line_bytes(false) > MOST_EVENT_BYTES;
  return events_lines(true) >= MOST_STRANGERS_LINES || events_line_bytes(true) > MOST_STRANGERS_BYTES ||
         connection->queued + connection->elsewhere >= MOST_LINES_OF_ONE;
}

static void hold_back(struct connection *connection) {
  connection->paused = true;
  connection->paused_since = ++pauses;
}

static size_t longest_line(const struct connection *connection) {
  if (connection->has_heads) return MOST_HEAD_BYTES;
  return connection->is_stranger && !connection->spoke ? MOST_FIRST_LINE : LIMIT_LINE_BYTES;
}

static void drop_input(struct connection *connection, size_t length) {
  buffer_drop(&connection->in, length);
  bytes_held -= length;
}

/* The offset after the empty line that ends a request's head (RFC 9112); 0: not complete. `scanned` is the offset after the
 * last newline seen. */
static size_t end_of_head(struct connection *connection) {
  const uint8_t *data = connection->in.data;
  while (connection->scanned < connection->in.length) {
    const uint8_t *from = data + connection->scanned;
    const uint8_t *newline = memchr(from, '\n', connection->in.length - connection->scanned);
    if (!newline) return 0;
    size_t line = (size_t)(newline - from);
    bool is_first = connection->scanned == 0;
    connection->scanned += line + 1;
    if (line == 0 || (line == 1 && *from == '\r')) return connection->scanned;
    /* A first line that is not HTTP has no head to wait for. */
    if (is_first && !memmem(from, line, " HTTP/1.", 8)) return connection->scanned;
  }
  return 0;
}

/* Ignores everything after the head. */
static enum outcome deliver_head(struct connection *connection) {
  connection->paused = false;
  if (connection->spoke) {
    drop_input(connection, connection->in.length);
    connection->scanned = 0;
    return GOES_ON;
  }
  size_t seen = connection->scanned;
  if (end_of_head(connection) == 0) return connection->in.length > MOST_HEAD_BYTES ? TOO_LONG : GOES_ON;
  if (connection->scanned > MOST_HEAD_BYTES) return TOO_LONG;
  if (connection_is_full(connection)) {
    connection->scanned = seen;
    hold_back(connection);
    connection->due = 0;
    return GOES_ON;
  }
  const uint8_t *newline = memchr(connection->in.data, '\n', connection->in.length);
  tell_line(connection, connection->in.data, newline ? (size_t)(newline - connection->in.data) : 0);
  connection->due = 0;
  drop_input(connection, connection->in.length);
  connection->scanned = 0;
  return GOES_ON;
}

/* The time limit for an incomplete line starts with its first byte. Before its first line, a connection keeps the time limit
 * that starts with the accept. */
static void set_due(struct connection *connection, bool had_half_line) {
  if (connection->paused) connection->due = 0;
  else if (connection->in.length == 0 && connection->spoke) connection->due = 0;
  else if (connection->in.length > 0 && (!had_half_line || connection->due == 0)) connection->due = clock_now() + HALF_LINE_MS;
}

enum outcome connection_deliver(struct connection *connection) {
  if (connection->has_heads) return deliver_head(connection);
  size_t start = 0;
  bool had_half_line = connection->in.length > 0;
  connection->paused = false;
  while (connection->scanned < connection->in.length && !connection->closing) {
    if (connection_is_full(connection)) {
      hold_back(connection);
      break;
    }
    uint8_t *from = connection->in.data + connection->scanned;
    uint8_t *newline = memchr(from, '\n', connection->in.length - connection->scanned);
    if (!newline) {
      connection->scanned = connection->in.length;
      break;
    }
    size_t end = (size_t)(newline - connection->in.data);
    if (end - start > longest_line(connection)) return TOO_LONG;
    tell_line(connection, connection->in.data + start, end - start);
    connection->scanned = start = end + 1;
    had_half_line = false;
  }
  if (start > 0) {
    drop_input(connection, start);
    connection->scanned -= start;
  }
  if (!connection->paused && connection->in.length > longest_line(connection)) return TOO_LONG;
  set_due(connection, had_half_line);
  return GOES_ON;
}

/* How many of the waiting bytes can be received without receiving descriptors: all that were peeked at, or -1 if some carry
 * descriptors. The keeper wants none here, and their close may wait (admission.h). */
static ssize_t without_descriptors(const struct connection *connection, void *bytes, size_t room) {
  struct iovec part = {.iov_base = bytes, .iov_len = room};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t n = recvmsg(connection->fd, &message, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return (ssize_t)room; /* recv(2) will report the error */
  return (message.msg_flags & MSG_CTRUNC) ? -1 : n > 0 ? n : (ssize_t)room;
}

enum outcome connection_read(struct connection *connection) {
  if (connection->input_ended || connection->closing) return GOES_ON;
  size_t before = connection->in.length;
  buffer_reserve(&connection->in, before + READ_BYTES > LIMIT_LINE_BYTES ? READ_BYTES : 4096);
  size_t room = connection->in.capacity - before;
  if (room > READ_BYTES) room = READ_BYTES;
  ssize_t n = connection->is_unix ? without_descriptors(connection, connection->in.data + before, room) : (ssize_t)room;
  if (n < 0) return BROKEN;
  room = (size_t)n;
  do n = recv(connection->fd, connection->in.data + before, room, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n > 0) {
    connection->in.length += (size_t)n;
    bytes_held += (size_t)n;
    return connection_deliver(connection);
  }
  int error = errno;
  if (before == 0) buffer_free(&connection->in);
  if (n < 0 && error == ECONNRESET) return PEER_ENDED;
  if (n < 0) return error == EAGAIN || error == EWOULDBLOCK ? GOES_ON : BROKEN;
  connection->input_ended = true;
  /* On a unix socket a peer may shut down its writing side and still wait for the answer (nc -N). A hang-up is another
   * event. */
  return connection->is_unix ? GOES_ON : PEER_ENDED;
}

void connection_add_output(struct connection *connection, const void *bytes, size_t length) {
  buffer_add(&connection->out, bytes, length);
  bytes_held += length;
}

bool connection_send(struct connection *connection) {
  while (connection_unsent(connection) > 0) {
    ssize_t n =
        send(connection->fd, connection->out.data + connection->sent, connection_unsent(connection), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    connection->sent += (size_t)n;
  }
  bytes_held -= connection->out.length;
  buffer_free(&connection->out);
  connection->sent = 0;
  return true;
}

void connection_watch(struct connection *connection) {
  uint32_t events = 0;
  bool reads = !connection->paused && !connection->is_held && !connection->input_ended && !connection->closing;
  if (reads) events |= EPOLLIN | EPOLLRDHUP;
  if (connection_unsent(connection) > 0) events |= EPOLLOUT;
  /* epoll reports a hang-up even if no event is asked for. So once the hang-up is known and there is nothing else to do, the
   * descriptor is not watched. */
  bool wanted = events != 0 || !connection->hung_up;
  if (!wanted && connection->watched) poller_remove(connection->fd, &connection->watcher);
  else if (wanted && connection->watched) (void)poller_change(connection->fd, &connection->watcher, events);
  else if (wanted) wanted = poller_add(connection->fd, &connection->watcher, events) == 0;
  connection->watched = wanted;
}

void connection_free(struct connection *connection) {
  if (connection->watched) poller_remove(connection->fd, &connection->watcher);
  if (connection->is_unix) admission_close_unread(connection->fd);
  else (void)close(connection->fd);
  bytes_held -= connection->in.length + connection->out.length;
  buffer_free(&connection->in);
  buffer_free(&connection->out);
  free(connection);
}

/* clang-format off */
#define SAVED_BEFORE(FIELD) FIELD(u64, id) FIELD(u64, listener) FIELD(descriptor, fd)
#define SAVED_FLAGS(FIELD) \
  FIELD(flag, is_unix) FIELD(flag, spoke) FIELD(flag, input_ended) FIELD(flag, closing) FIELD(flag, paused) FIELD(flag, following)
#define SAVED_AFTER(FIELD) FIELD(u32, queued) FIELD(u64, queued_bytes) FIELD(u64, due)
/* clang-format on */

void connection_save(const struct connection *it, struct buffer *out) {
  SAVED_BEFORE(SAVE)
  buffer_bytes(out, span_of(&it->peer, sizeof it->peer));
  SAVED_FLAGS(SAVE)
  buffer_bytes(out, span_of(it->in.data, it->in.length));
  buffer_bytes(out, span_of(it->out.data + it->sent, connection_unsent(it)));
  SAVED_AFTER(SAVE)
}

static bool load_fields(struct reader *in, struct connection *it) {
  SAVED_BEFORE(LOAD)
  struct span peer = read_bytes(in);
  if (peer.length == sizeof it->peer) memcpy(&it->peer, peer.data, peer.length);
  SAVED_FLAGS(LOAD)
  it->output_waits = it->following;
  struct span input = read_bytes(in);
  struct span output = read_bytes(in);
  SAVED_AFTER(LOAD)
  if (in->failed) return false;
  buffer_add(&it->in, input.data, input.length);
  bytes_held += input.length;
  connection_add_output(it, output.data, output.length);
  return true;
}

struct connection *connection_load(struct reader *in) {
  struct connection *connection = memory_take_zeroed(sizeof *connection);
  if (load_fields(in, connection)) return connection;
  free(connection);
  return NULL;
}
