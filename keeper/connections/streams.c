#include "connections/streams.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/clock.h"
#include "app/memory.h"
#include "connections/connection.h"
#include "connections/penalties.h"
#include "loop/timer.h"
#include "output/output.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"
#include "sockets/sockets.h"
#include "worker/workers.h"

enum {
  FIRST_LINE_MS = 60 * 1000,
  CLOSE_MS = 30 * 1000,     /* to send the remaining output before a close */
  MOST_HELD_MS = 10 * 1000, /* longest wait for others' wrong tokens; crankctl waits 15 s for its answer */
  ACCEPT_PAUSE_MS = 1000,   /* after accept(2) failed for lack of descriptors or memory */
  ACCEPT_AT_ONCE = 64,
  FOLLOW_BYTES = 64 * 1024,
  MOST_HELD_BYTES = 128 * 1024 * 1024,
  MOST_SILENT_STRANGERS = 128,
  CLOSE_REFUSED = 2,
  MOST_STRANGERS = LIMIT_CONNECTIONS, /* in addition to the owner's connections */
  HEAD_MS = 10 * 1000,                /* for the whole head of an HTTP request */
};

static void expire(void);

static struct timer slow = {.expired = expire};
static struct timer accept_pause = {.expired = streams_accept_again};
static struct connection **connections;
static uint32_t count;
static uint32_t strangers; /* among `connections` */
static uint32_t capacity;
static uint64_t last_id;
static bool accepting_paused;

static struct connection *find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (connections[i]->id == id) return connections[i];
  }
  return NULL;
}

static void pause_listeners(bool pause) {
  for (uint32_t i = 0; i < handles_count(); i++) {
    struct handle *handle = handles_at(i);
    if (handle->accepting) (void)handles_accept(handle, !pause);
  }
  accepting_paused = pause;
}

static struct connection *append(struct connection *connection) {
  if (count == capacity) {
    capacity = capacity == 0 ? 4 : capacity * 2;
    connections = memory_resize(connections, capacity * sizeof(struct connection *));
  }
  connections[count++] = connection;
  if (connection->is_stranger) strangers++;
  return connection;
}

/* Arms the timer for the earliest deadline. A connection that has delivered a line, or is closed, has none. */
static void arm(void) {
  uint64_t first = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t due = connections[i]->due;
    if (due != 0 && (first == 0 || due < first)) first = due;
  }
  timer_set(&slow, first);
}

static void drop(struct connection *connection, enum closed reason) {
  if (connection->following) output_unfollow(connection->id);
  if (connection->spoke) {
    post_event(closed, connection->id, connection->id, (uint8_t)reason);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (connections[i] == connection) connections[i] = connections[--count];
  }
  if (connection->is_stranger) strangers--;
  connection_free(connection);
  arm();
  streams_accept_again();
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
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"the line is too long: it may have "
      "1 MiB, and a stranger's first one 64 KiB\"}}\n";
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
  streams_accept_again();
}

static void accept_on(uint64_t id, uint8_t code, bool heads) {
  struct handle *handle = handles_find(id);
  if (handle) handle->has_heads = heads;
  else errno = EBADF;
  if (!handle || handles_accept(handle, !accepting_paused) < 0) events_failed(code, id, "accept", errno);
}

void streams_accept_on(struct reader *fields) {
  accept_on(read_acceptOn(fields).handle, COMMAND_acceptOn, false);
}

void streams_accept_heads(struct reader *fields) {
  accept_on(read_acceptHeads(fields).handle, COMMAND_acceptHeads, true);
}

static struct ucred credentials_of(int fd, bool is_unix) {
  struct ucred peer = {.pid = 0, .uid = UNCHANGED, .gid = UNCHANGED};
  socklen_t length = sizeof peer;
  if (is_unix) (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  return peer;
}

/* Neither root nor the keeper's user; over TCP the user is unknown. */
static bool is_stranger(const struct ucred *peer) {
  return peer->uid != 0 && peer->uid != geteuid();
}

/* The supervisor cannot refuse a connection that it does not know. So the stranger that has been silent for longest is closed
 * to make room. Connections that the supervisor knows stay open, and so do a new worker's, which have no deadline. False if
 * there is no silent one to close. */
static bool make_room_among_strangers(void) {
  struct connection *oldest = NULL;
  uint32_t silent = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    if (!connection->is_stranger || connection->spoke || connection->due == 0) continue;
    silent++;
    if (!oldest || connection->id < oldest->id) oldest = connection;
  }
  if (strangers < MOST_STRANGERS && silent < MOST_SILENT_STRANGERS) return true;
  if (!oldest) return false;
  drop(oldest, CLOSED_TOO_SLOW);
  return true;
}

static uint64_t held_until_of(int fd) {
  struct source source;
  char text[PENALTY_ADDRESS_TEXT];
  return penalty_source(fd, &source, text) ? penalty_until(&source) : 0;
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
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
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

static void ready(struct watcher *watcher, uint32_t events);

static void add_connection(int fd, const struct handle *handle) {
  struct connection *connection = memory_take_zeroed(sizeof *connection);
  bool is_unix = handle->domain == AF_UNIX;
  *connection = (struct connection){.id = ++last_id, .listener = handle->id, .fd = fd, .is_unix = is_unix};
  connection->peer = credentials_of(fd, is_unix);
  connection->is_stranger = is_stranger(&connection->peer);
  connection->has_heads = handle->has_heads;
  connection->watcher = (struct watcher){.ready = ready, .turn = TURN_CONNECTIONS};
  /* A worker has no time limit for its first line. */
  bool is_expected = is_unix && workers_expect_connection((uint32_t)connection->peer.pid);
  connection->due = is_expected ? 0 : clock_now() + (handle->has_heads ? HEAD_MS : FIRST_LINE_MS);
  uint64_t held_until = is_unix ? 0 : held_until_of(fd);
  connection->heard_by = clock_now() + MOST_HELD_MS;
  connection->is_held = held_until != 0;
  if (connection->is_held) connection->due = held_until;
  bool has_room = !connection->is_stranger || make_room_among_strangers();
  uint32_t events = connection->is_held ? 0 : EPOLLIN | EPOLLRDHUP;
  if (!has_room || poller_add(fd, &connection->watcher, events) < 0) {
    connection_free(connection);
    return;
  }
  connection->watched = true;
  (void)append(connection);
  arm();
}

/* True: continue. Errors of a single connection do not concern the listener (accept(2)); lack of resources pauses accepting. */
static bool accept_failed(int error) {
  switch (error) {
    case EAGAIN: return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      pause_listeners(true);
      timer_set(&accept_pause, clock_now() + ACCEPT_PAUSE_MS);
      return false;
    case EINVAL:
    case EBADF: return false;
    default: return true;
  }
}

/* Closed connections count as well until the supervisor has consumed the event. */
static bool is_full(void) {
  return count - strangers >= LIMIT_CONNECTIONS || events_count(MESSAGE_closed) >= LIMIT_CONNECTIONS ||
         connection_bytes_held() > MOST_HELD_BYTES;
}

void streams_accept(struct handle *listener) {
  uint64_t id = listener->id;
  sockets_check(listener);
  for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
    struct handle *handle = handles_find(id);
    if (!handle || !handle->accepting) return;
    if (is_full()) {
      pause_listeners(true); /* the others wait in the accept queue until a connection closes */
      return;
    }
    /* The listener may be a blocking one, and another process may accept first. So poll(2) comes before accept4(2). */
    struct pollfd waits = {.fd = handle->fd, .events = POLLIN};
    if (poll(&waits, 1, 0) != 1 || !(waits.revents & POLLIN)) return;
    int fd = accept4(handle->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) add_connection(fd, handle);
    else if (!accept_failed(errno)) return;
  }
}

void streams_accept_again(void) {
  if (accepting_paused && accept_pause.at == 0 && !is_full()) pause_listeners(false);
}

void streams_output_ready(uint64_t id) {
  struct connection *connection = find(id);
  if (!connection) {
    output_unfollow(id);
    return;
  }
  connection->output_waits = true;
  settle(connection, GOES_ON);
}

/* Strangers with the same user and listener share a limit, so that they do not delay other users. */
static void count_elsewhere(struct connection *connection) {
  if (!connection->is_stranger) return;
  connection->elsewhere = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct connection *other = connections[i];
    bool shares = other != connection && other->is_stranger && other->peer.uid == connection->peer.uid &&
                  other->listener == connection->listener;
    if (shares) connection->elsewhere += other->queued;
  }
}

/* The paused connection to resume: the owner's before strangers', and within each group the one that has waited for longest. */
static struct connection *next_to_resume(void) {
  struct connection *next = NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    if (!connection->paused || connection->is_held) continue;
    bool is_behind = next && (connection->is_stranger != next->is_stranger ? connection->is_stranger
                                                                           : connection->paused_since > next->paused_since);
    if (is_behind) continue;
    count_elsewhere(connection);
    if (!connection_is_full(connection)) next = connection;
  }
  return next;
}

static void deliver_more(struct connection *connection) {
  enum outcome outcome = connection_deliver(connection);
  if (outcome == GOES_ON && connection->hung_up && !connection->paused) outcome = connection_read(connection);
  settle(connection, outcome);
}

/* Terminates: each resumed connection delivers at least one line or is no longer paused. */
static void resume_all(void) {
  for (struct connection *next = next_to_resume(); next; next = next_to_resume()) deliver_more(next);
}

void streams_line_consumed(uint64_t id, uint32_t size) {
  struct connection *consumed = find(id);
  if (consumed) {
    if (consumed->queued > 0) consumed->queued--;
    consumed->queued_bytes -= size < consumed->queued_bytes ? size : consumed->queued_bytes;
  }
  resume_all();
}

static void ready(struct watcher *watcher, uint32_t events) {
  struct connection *connection = WATCHER_OWNER(watcher, struct connection, watcher);
  if (events & (EPOLLHUP | EPOLLERR)) connection->hung_up = true;
  enum outcome outcome = GOES_ON;
  count_elsewhere(connection);
  if (!connection->paused && !connection->is_held && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
    outcome = connection_read(connection);
  settle(connection, outcome);
}

/* Ends waits that are over, and closes connections whose deadline has passed. */
static void expire(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < count;) {
    struct connection *connection = connections[i];
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
    struct connection *worst = NULL;
    for (uint32_t i = 0; i < count; i++) {
      struct connection *connection = connections[i];
      bool is_worse = !worst || (connection->is_stranger != worst->is_stranger
                                     ? connection->is_stranger
                                     : connection_bytes_of(connection) > connection_bytes_of(worst));
      if (connection_bytes_of(connection) > 0 && is_worse) worst = connection;
    }
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
  struct connection *connection = find(id);
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
  struct connection *connection = find(id);
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
  for (uint32_t i = 0; i < count; i++) {
    const struct connection *connection = connections[i];
    if (!connection->spoke) continue;
    const struct ucred *peer = &connection->peer;
    append_greeting(helloConnection, out, connection->id, connection->listener, (uint32_t)peer->pid, peer->uid, peer->gid);
  }
}

void streams_flush(int timeout_ms) {
  uint64_t until = clock_now() + (uint64_t)timeout_ms;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    while (connection_send(connection) && connection_unsent(connection) > 0) {
      uint64_t now = clock_now();
      if (now >= until) return;
      struct pollfd writable = {.fd = connection->fd, .events = POLLOUT};
      if (poll(&writable, 1, (int)(until - now)) < 0 && errno != EINTR) break;
    }
  }
}

void streams_save(struct buffer *out) {
  buffer_u64(out, last_id);
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    connection_save(connections[i], out);
  }
}

bool streams_load(struct reader *in) {
  last_id = read_u64(in);
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct connection *connection = connection_load(in);
    if (!connection) return false;
    connection->is_stranger = is_stranger(&connection->peer);
    const struct handle *listener = handles_find(connection->listener);
    connection->has_heads = listener && listener->has_heads;
    connection->watcher = (struct watcher){.ready = ready, .turn = TURN_CONNECTIONS};
    connection_watch(append(connection));
    arm();
  }
  return !in->failed;
}
