#include "connections/accept.h"

#include <poll.h>
#include <sys/epoll.h>

#include "app/clock.h"
#include "app/memory.h"
#include "connections/list.h"
#include "connections/penalties.h"
#include "loop/timer.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/sockets.h"
#include "worker/workers.h"

enum {
  HEAD_MS = 10 * 1000,      /* for the whole head of an HTTP request */
  MOST_HELD_MS = 10 * 1000, /* longest wait for others' wrong tokens; crankctl waits 15 s for its answer */
  PAUSE_MS = 1000,          /* after accept(2) failed for lack of descriptors or memory */
  MOST_AT_ONCE = 64,
  MOST_SILENT_STRANGERS = 128,
  MOST_STRANGERS = LIMIT_CONNECTIONS, /* in addition to the owner's connections */
};

static const struct accept_owner *owner;
static struct timer pause_timer = {.expired = accept_again};
static uint64_t last_id;
static bool is_paused; /* no listener is read */

void accept_is_for(const struct accept_owner *whose) {
  owner = whose;
}

static void pause_listeners(bool pause) {
  for (uint32_t i = 0; i < handles_count(); i++) {
    struct handle *handle = handles_at(i);
    if (handle->accepting) (void)handles_accept(handle, !pause);
  }
  is_paused = pause;
}

static void accept_on(uint64_t id, uint8_t code, bool heads) {
  struct handle *handle = handles_find(id);
  if (handle) handle->has_heads = heads;
  else errno = EBADF;
  if (!handle || handles_accept(handle, !is_paused) < 0) events_failed(code, id, "accept", errno);
}

void accept_lines(struct reader *fields) {
  accept_on(read_acceptOn(fields).handle, COMMAND_acceptOn, false);
}

void accept_heads(struct reader *fields) {
  accept_on(read_acceptHeads(fields).handle, COMMAND_acceptHeads, true);
}

static struct ucred credentials_of(int fd, bool is_unix) {
  struct ucred peer = {.pid = 0, .uid = UNCHANGED, .gid = UNCHANGED};
  socklen_t length = sizeof peer;
  if (is_unix) (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
  return peer;
}

bool accept_is_stranger(const struct ucred *peer) {
  return peer->uid != 0 && peer->uid != geteuid();
}

/* The supervisor cannot refuse a connection that it does not know. So the stranger that has been silent for longest is closed
 * to make room. Connections that the supervisor knows stay open, and so do a new worker's, which have no deadline. False if
 * there is no silent one to close. */
static bool make_room_among_strangers(void) {
  uint32_t silent = 0;
  struct connection *oldest = list_oldest_silent(&silent);
  if (list_strangers() < MOST_STRANGERS && silent < MOST_SILENT_STRANGERS) return true;
  if (!oldest) return false;
  owner->drop(oldest, CLOSED_TOO_SLOW);
  return true;
}

static uint64_t held_until_of(int fd) {
  struct source source;
  char text[PENALTY_ADDRESS_TEXT];
  return penalty_source(fd, &source, text) ? penalty_until(&source) : 0;
}

static void add_connection(int fd, const struct handle *handle) {
  struct connection *connection = memory_take_zeroed(sizeof *connection);
  bool is_unix = handle->domain == AF_UNIX;
  *connection = (struct connection){.id = ++last_id, .listener = handle->id, .fd = fd, .is_unix = is_unix};
  connection->peer = credentials_of(fd, is_unix);
  connection->is_stranger = accept_is_stranger(&connection->peer);
  connection->has_heads = handle->has_heads;
  connection->watcher = (struct watcher){.ready = owner->ready, .turn = TURN_CONNECTIONS};
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
  (void)list_add(connection);
  owner->added();
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
      timer_set(&pause_timer, clock_now() + PAUSE_MS);
      return false;
    case EINVAL:
    case EBADF: return false;
    default: return true;
  }
}

/* Closed connections count as well until the supervisor has consumed the event. */
static bool is_full(void) {
  return list_count() - list_strangers() >= LIMIT_CONNECTIONS || events_count(MESSAGE_closed) >= LIMIT_CONNECTIONS ||
         connection_bytes_held() > MOST_HELD_BYTES;
}

void accept_waiting(struct handle *listener) {
  uint64_t id = listener->id;
  sockets_check(listener);
  for (int i = 0; i < MOST_AT_ONCE; i++) {
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

void accept_again(void) {
  if (is_paused && pause_timer.at == 0 && !is_full()) pause_listeners(false);
}

void accept_save(struct buffer *out) {
  buffer_u64(out, last_id);
}

void accept_load(struct reader *in) {
  last_id = read_u64(in);
}
