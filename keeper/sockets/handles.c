#include "sockets/handles.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/admission.h"
#include "app/memory.h"
#include "protocol/frames.h"
#include "protocol/saved.h"
#include "sockets/accept_queue.h"

enum { MOST_HANDLES = 4096 };

static const struct handles_owner *owner;
static struct handle **handles;
static uint32_t count;

void handles_are_for(const struct handles_owner *whose) {
  owner = whose;
}

struct handle *handles_find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (handles[i]->id == id) return handles[i];
  }
  return NULL;
}

uint32_t handles_count(void) {
  return count;
}

struct handle *handles_at(uint32_t index) {
  return handles[index];
}

int handles_fd(uint64_t id) {
  struct handle *handle = handles_find(id);
  if (handle) return handle->fd;
  errno = EBADF;
  return -1;
}

size_t handles_address(int fd, uint8_t *bytes, size_t room) {
  socklen_t length = (socklen_t)room;
  if (getsockname(fd, (struct sockaddr *)(void *)bytes, &length) < 0) return 0;
  return length < room ? length : room;
}

bool handles_is_non_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

/* 0 if it is not a socket or has no such option. */
static uint32_t socket_fact(int fd, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 || value < 0) return 0;
  return (uint32_t)value;
}

/* Only a shutdown must wake the keeper. EPOLLET, because a socket that cannot listen again stays shut down. */
static uint32_t watched_events(const struct handle *handle) {
  if (handle->accepting) return EPOLLIN | EPOLLRDHUP;
  return EPOLLET | (handle->domain == AF_UNIX ? (uint32_t)EPOLLRDHUP : 0);
}

static void note_address(struct handle *handle) {
  if (!handle->listening || handle->domain == AF_UNIX) return;
  handle->address_length = (uint32_t)handles_address(handle->fd, handle->address, sizeof handle->address);
}

/* Like systemd's file descriptor store, asks for no event: EPOLLHUP and EPOLLERR are reported anyway. Once is enough, because
 * the state is final. */
static int watch_peer(struct handle *handle) {
  if (poller_add(handle->fd, &handle->watcher, EPOLLONESHOT) == 0) return 0;
  return errno == EPERM ? 0 : -1; /* a file has no peer */
}

static void ready(struct watcher *watcher) {
  struct handle *handle = WATCHER_OWNER(watcher, struct handle, watcher);
  if (handle->polled) post_event(hungUp, 0, handle->id); /* its peer, or the descriptor has failed */
  else if (handle->accepting) owner->connection_waits(handle);
  else owner->may_be_shut(handle);
}

static int watch_handle(struct handle *handle) {
  handle->watcher = (struct watcher){.ready = ready, .turn = TURN_SOCKETS};
  if (handle->polled) return watch_peer(handle);
  if (!handle->listening) return 0;
  return poller_add(handle->fd, &handle->watcher, watched_events(handle));
}

static struct handle *append(void) {
  handles = memory_grow(handles, count, sizeof *handles);
  struct handle *handle = memory_take_zeroed(sizeof *handle);
  handles[count++] = handle;
  return handle;
}

uint64_t handles_inode(const struct handle *handle) {
  struct stat status;
  /* Only for sockets: fstat(2) on a file of a worker's own file system could block. */
  return handle->domain == 0 || fstat(handle->fd, &status) < 0 ? 0 : (uint64_t)status.st_ino;
}

static uint32_t queue_limit(const struct handle *handle) {
  uint32_t queue = 0;
  uint32_t limit = 0;
  return handle->listening && accept_queue(handle->fd, handle->domain, &queue, &limit) == 0 ? limit : 0;
}

/* Does not read the address of another process's connection: that process could block it (inet_getname takes the socket's
 * lock). */
static void tell_opened(const struct handle *handle, bool is_foreign) {
  _Alignas(8) uint8_t address[128];
  bool is_foreign_connection = is_foreign && handle->type == SOCK_STREAM && !handle->listening;
  size_t length = handle->domain != 0 && !is_foreign_connection ? handles_address(handle->fd, address, sizeof address) : 0;
  post_event(opened, 0, handle->id, handle->domain, handle->type, handle->listening, is_foreign ? 0 : queue_limit(handle),
             handles_inode(handle), span_of(address, length));
}

static int add(uint64_t id, int fd, uint32_t backlog, bool is_foreign) {
  if (handles_find(id) || count >= MOST_HANDLES) {
    errno = count >= MOST_HANDLES ? EMFILE : EEXIST;
    return -1;
  }
  struct handle *handle = append();
  *handle = (struct handle){.id = id, .fd = fd, .backlog = backlog};
  handle->domain = socket_fact(fd, SO_DOMAIN);
  handle->type = socket_fact(fd, SO_TYPE);
  handle->listening = socket_fact(fd, SO_ACCEPTCONN) == 1;
  note_address(handle);
  if (watch_handle(handle) < 0) {
    int error = errno;
    free(handle);
    count--;
    errno = error;
    return -1;
  }
  tell_opened(handle, is_foreign);
  return 0;
}

int handles_add(uint64_t id, int fd, uint32_t backlog) {
  return add(id, fd, backlog, false);
}

int handles_add_foreign(uint64_t id, int fd) {
  return add(id, fd, 0, true);
}

static void unwatch(const struct handle *handle) {
  if (handle->listening || handle->polled) poller_remove(handle->fd, &handle->watcher);
}

void handles_close(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    struct handle *handle = handles[i];
    if (handle->id != id) continue;
    unwatch(handle);
    owner->closed(id);
    admission_close(handle->fd);
    free(handle);
    handles[i] = handles[--count];
    return;
  }
}

int handles_exchange(uint64_t id, int fd, uint64_t kept) {
  struct handle *handle = handles_find(id);
  if (!handle || (kept != 0 && (handles_find(kept) || count >= MOST_HANDLES))) {
    errno = handle ? EEXIST : EBADF;
    return -1;
  }
  struct handle before = *handle;
  int old = before.fd;
  handle->fd = fd;
  handle->listening = socket_fact(fd, SO_ACCEPTCONN) == 1;
  if (watch_handle(handle) < 0) {
    *handle = before;
    return -1;
  }
  if (before.listening || before.polled) poller_remove(old, &handle->watcher);
  tell_opened(handle, false);
  if (kept == 0) {
    (void)close(old);
  } else {
    struct handle *other = append();
    *other = (struct handle){.id = kept, .fd = old, .domain = before.domain, .type = before.type, .backlog = before.backlog};
  }
  return 0;
}

void handles_close_all(void) {
  while (count > 0) handles_close(handles[count - 1]->id);
}

void handles_stop_listening(struct handle *handle) {
  if (handle->listening) poller_remove(handle->fd, &handle->watcher);
  handle->listening = handle->accepting = false;
}

int handles_accept(struct handle *handle, bool now) {
  if (!handle->listening) {
    errno = EINVAL;
    return -1;
  }
  handle->accepting = true;
  uint32_t events = now ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0;
  return poller_change(handle->fd, &handle->watcher, events);
}

int handles_store(uint64_t id, bool poll) {
  struct handle *handle = handles_find(id);
  if (!handle) {
    errno = EBADF;
    return -1;
  }
  unwatch(handle);
  handle->listening = handle->accepting = false;
  handle->polled = poll;
  if (watch_handle(handle) == 0) return 0;
  handle->polled = false;
  return -1;
}

/* The use of a handle in the saved state. A keeper ignores values that it does not know. */
enum { SAVED_PLAIN = 0, SAVED_ACCEPTING = 1, SAVED_POLLED = 2, SAVED_ACCEPTING_HEADS = 3 };

static uint8_t saved_use(const struct handle *handle) {
  if (handle->accepting) return handle->has_heads ? SAVED_ACCEPTING_HEADS : SAVED_ACCEPTING;
  return handle->polled ? SAVED_POLLED : SAVED_PLAIN;
}

/* clang-format off */
#define SAVED(FIELD) \
  FIELD(u64, id) FIELD(descriptor, fd) FIELD(u32, domain) FIELD(u32, type) FIELD(u32, backlog) FIELD(flag, listening)
/* clang-format on */

void handles_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct handle *it = handles[i];
    SAVED(SAVE)
    buffer_u8(out, saved_use(it));
  }
}

bool handles_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct handle *it = append();
    SAVED(LOAD)
    uint8_t use = read_u8(in);
    it->has_heads = use == SAVED_ACCEPTING_HEADS;
    it->accepting = use == SAVED_ACCEPTING || it->has_heads;
    it->polled = use == SAVED_POLLED;
    note_address(it);
    if (in->failed || watch_handle(it) < 0) return false;
  }
  return !in->failed;
}
