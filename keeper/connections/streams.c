#include "connections/streams.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "app/clock.h"
#include "app/memory.h"
#include "connections/accept.h"
#include "connections/connection.h"
#include "connections/list.h"
#include "connections/penalties.h"
#include "loop/timer.h"
#include "output/output.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"

enum {
  CLOSE_MS = 30 * 1000, /* to send the remaining output before a close */
  FOLLOW_BYTES = 64 * 1024,
  CLOSE_REFUSED = 2,
};

static void expire(void);

static struct timer slow = {.expired = expire};

static void arm(void) {
  timer_set(&slow, list_first_due());
}

static void drop(struct connection *connection, enum closed reason) {
  if (connection->following) output_unfollow(connection->id);
  if (connection->spoke) {
    post_event(closed, connection->id, connection->id, (uint8_t)reason);
  }
  list_remove(connection);
  connection_free(connection);
  arm();
  accept_again();
}

static void take_followed_output(struct connection *connection) {
  if (!connection->output_waits || connection->closing || connection_unsent(connection) >= FOLLOW_BYTES) return;
  char *bytes = memory_take(FOLLOW_BYTES);
  uint64_t dropped = 0;
  size_t n = output_take(connection->id, bytes, FOLLOW_BYTES, &dropped);
  connection_add_output(connection, bytes, n);
  free(bytes);
  connection->output_waits = n > 0;
}

/* 431: RFC 6585, section 5. */
static void refuse_head(struct connection *connection) {
  static const char answer[] = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 38\r\nConnection: close\r\n\r\nA request's head has at most 16 KiB.\r\n";
  connection_add_output(connection, answer, sizeof answer - 1);
  connection->closing = true;
  connection->due = clock_now() + CLOSE_MS;
}

/* Sends the refusal if there is room for it now. The rest of the client's input is not read. */
static void refuse_line(struct connection *connection) {
  static const char answer[] =
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"the line is too long: the limit is "
      "1 MiB, or 64 KiB for the first line of an untrusted user\"}}\n";
  connection_add_output(connection, answer, sizeof answer - 1);
  (void)connection_send(connection);
}

/* Runs after every event of a connection: sends, updates the watcher, or closes. */
static void settle(struct connection *connection, enum outcome outcome) {
  if (outcome == TOO_LONG && connection->has_heads && !connection->closing) {
    refuse_head(connection);
    outcome = GOES_ON;
  }
  if (outcome == TOO_LONG) {
    if (!connection->closing) refuse_line(connection);
    return drop(connection, CLOSED_LINE_TOO_LONG);
  }
  if (outcome == PEER_ENDED) return drop(connection, CLOSED_BY_PEER);
  do {
    take_followed_output(connection);
    if (outcome == BROKEN || !connection_send(connection)) return drop(connection, CLOSED_BY_ERROR);
  } while (connection->output_waits && connection_unsent(connection) == 0);
  if (connection->closing && connection_unsent(connection) == 0) return drop(connection, CLOSED_BY_US);
  /* Input that arrived before the hang-up is still delivered. */
  if (connection->hung_up && connection->input_ended && !connection->paused) return drop(connection, CLOSED_BY_PEER);
  arm();
  connection_watch(connection);
  accept_again();
}

/* The supervisor refused a connection for what it sent: other silent connections of the same address must wait, and so must new
 * ones. The event is sent when the number of refusals reaches a power of two, which limits its rate. */
static void penalize(const struct connection *refused) {
  struct source source;
  struct source other;
  char text[PENALTY_ADDRESS_TEXT];
  char ignored[PENALTY_ADDRESS_TEXT];
  if (refused->is_unix || !penalty_source(refused->fd, &source, text)) return;
  uint64_t until = 0;
  uint32_t times = penalty_add(&source, &until);
  for (uint32_t i = 0; i < list_count(); i++) {
    struct connection *connection = list_at(i);
    bool is_silent = connection != refused && !connection->is_unix && !connection->spoke && !connection->has_heads;
    /* One that waits already is not delayed further by others that keep guessing, nor is one that has waited its maximum. */
    if (!is_silent || connection->is_held || connection->heard_by <= clock_now()) continue;
    if (!penalty_source(connection->fd, &other, ignored) || memcmp(&source, &other, sizeof source) != 0) continue;
    connection->is_held = true;
    connection->due = until < connection->heard_by ? until : connection->heard_by;
    connection_watch(connection);
  }
  if ((times & (times - 1)) != 0) return;
  post_event(penalized, 0, text, times, (uint32_t)(until - clock_now()));
}

void streams_output_ready(uint64_t id) {
  struct connection *connection = list_find(id);
  if (!connection) {
    output_unfollow(id);
    return;
  }
  connection->output_waits = true;
  settle(connection, GOES_ON);
}

static void deliver_more(struct connection *connection) {
  enum outcome outcome = connection_deliver(connection);
  if (outcome == GOES_ON && connection->hung_up && !connection->paused) outcome = connection_read(connection);
  settle(connection, outcome);
}

/* Terminates: each resumed connection delivers at least one line or is no longer paused. */
static void resume_all(void) {
  for (struct connection *next = list_next_to_resume(); next; next = list_next_to_resume()) deliver_more(next);
}

void streams_line_consumed(uint64_t id, uint32_t size) {
  struct connection *consumed = list_find(id);
  if (consumed) {
    if (consumed->queued > 0) consumed->queued--;
    consumed->queued_bytes -= size < consumed->queued_bytes ? size : consumed->queued_bytes;
  }
  resume_all();
}

static void ready(struct watcher *watcher) {
  uint32_t events = watcher->events;
  struct connection *connection = WATCHER_OWNER(watcher, struct connection, watcher);
  if (events & (EPOLLHUP | EPOLLERR)) connection->hung_up = true;
  enum outcome outcome = GOES_ON;
  list_count_elsewhere(connection);
  if (!connection->paused && !connection->is_held && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
    outcome = connection_read(connection);
  settle(connection, outcome);
}

/* Ends waits that are over, and closes connections whose deadline has passed. */
static void expire(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < list_count();) {
    struct connection *connection = list_at(i);
    bool is_due = connection->due != 0 && connection->due <= now;
    if (is_due && connection->is_held) {
      connection->is_held = false;
      connection->due = now + FIRST_LINE_MS;
      connection_watch(connection);
    } else if (is_due) {
      drop(connection, CLOSED_TOO_SLOW);
      continue;
    }
    i++;
  }
  resume_all();
  arm();
}

/* While all connections together hold too much, closes the one that holds most, strangers first. False if that is `writing`
 * itself. */
static bool make_room_for_output(const struct connection *writing, size_t length) {
  while (connection_bytes_held() + length > MOST_HELD_BYTES) {
    struct connection *worst = list_biggest();
    if (!worst || worst == writing) return false;
    drop(worst, CLOSED_TOO_SLOW);
  }
  return true;
}

void streams_write(struct reader *fields) {
  struct command_write command = read_write(fields);
  uint64_t id = command.connection;
  struct span bytes = command.bytes;
  bool close_after = command.close != 0;
  struct connection *connection = list_find(id);
  if (!connection || connection->closing) {
    /* Closing a closed connection is not an error. */
    if (bytes.length > 0 || !close_after) events_failed(COMMAND_write, id, "write", ENOTCONN);
    return;
  }
  bool is_too_slow = connection_unsent(connection) + bytes.length > LIMIT_CONNECTION_OUTPUT_BYTES;
  if (is_too_slow || !make_room_for_output(connection, bytes.length)) {
    drop(connection, CLOSED_TOO_SLOW);
    return;
  }
  connection_add_output(connection, bytes.data, bytes.length);
  if (command.close == CLOSE_REFUSED) penalize(connection);
  if (close_after) {
    connection->closing = true;
    connection->due = clock_now() + CLOSE_MS;
  }
  settle(connection, GOES_ON);
}

void streams_follow(struct reader *fields) {
  struct command_follow command = read_follow(fields);
  uint64_t id = command.connection;
  struct connection *connection = list_find(id);
  if (!connection || connection->closing) errno = ENOTCONN;
  if (!connection || connection->closing || output_follow(id, command.worker, command.lines, command.follow == 1) < 0) {
    events_failed(COMMAND_follow, id, "follow", errno);
    return;
  }
  connection->following = true;
  connection->output_waits = true;
  settle(connection, GOES_ON);
}

void streams_hello(struct buffer *out) {
  for (uint32_t i = 0; i < list_count(); i++) {
    const struct connection *connection = list_at(i);
    if (!connection->spoke) continue;
    const struct ucred *peer = &connection->peer;
    append_greeting(helloConnection, out, connection->id, connection->listener, (uint32_t)peer->pid, peer->uid, peer->gid);
  }
}

void streams_flush(int timeout_ms) {
  uint64_t until = clock_now() + (uint64_t)timeout_ms;
  for (uint32_t i = 0; i < list_count(); i++) {
    struct connection *connection = list_at(i);
    while (connection_send(connection) && connection_unsent(connection) > 0) {
      uint64_t now = clock_now();
      if (now >= until) return;
      struct pollfd writable = {.fd = connection->fd, .events = POLLOUT};
      if (poll(&writable, 1, (int)(until - now)) < 0 && errno != EINTR) break;
    }
  }
}

void streams_save(struct buffer *out) {
  accept_save(out);
  buffer_u32(out, list_count());
  for (uint32_t i = 0; i < list_count(); i++) {
    connection_save(list_at(i), out);
  }
}

bool streams_load(struct reader *in) {
  accept_load(in);
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct connection *connection = connection_load(in);
    if (!connection) return false;
    connection->is_stranger = accept_is_stranger(&connection->peer);
    const struct handle *listener = handles_find(connection->listener);
    connection->has_heads = listener && listener->has_heads;
    connection->watcher = (struct watcher){.ready = ready, .turn = TURN_CONNECTIONS};
    connection_watch(list_add(connection));
    arm();
  }
  return !in->failed;
}

void streams_start(void) {
  static const struct accept_owner self = {.ready = ready, .added = arm, .drop = drop};
  accept_is_for(&self);
}
