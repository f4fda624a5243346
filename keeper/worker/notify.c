#include "worker/notify.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "app/admission.h"
#include "app/descriptors.h"
#include "app/files.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"
#include "worker/watchdog.h"

enum {
  MOST_QUEUED = 64,  /* datagrams of one worker that wait for the supervisor; more wait in the kernel */
  MOST_IN_ALL = 512, /* of all workers; above that, each may have MOST_BEYOND */
  MOST_BEYOND = 4,
  MOST_AT_ONCE = 256, /* read in one round, even if none is for the supervisor */
  MOST_AT_END = 1024, /* read when the worker is gone, in case another process keeps sending */
  MOST_HELD = 1024,   /* descriptors held by all events */
  ANSWER_SECONDS = 5, /* time limit of a worker's read */
  FLAG_TRUNCATED = 1,
  FLAG_DESCRIPTORS_LOST = 2,
};

static uint32_t held;

static int set_up(int fd) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

/* A timeout lets a worker that waits for an answer notice that its peer is gone: a datagram socket does not report that to a
 * reader. */
static int limit_waiting(int fd) {
  struct timeval patience = {.tv_sec = ANSWER_SECONDS};
  return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static int open_pair(struct notify *notify, int *workers_end) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  if (set_up(ends[0]) < 0 || limit_waiting(ends[1]) < 0) {
    (void)descriptors_drop(ends[0]);
    return descriptors_drop(ends[1]);
  }
  notify->pair = ends[0];
  *workers_end = ends[1];
  return 0;
}

static int bind_named(int fd, const char *path, const struct list *identity) {
  struct sockaddr_un address;
  struct file_identity made;
  const char *step;
  socklen_t length = files_address(&address, path);
  if (length == 0) return -1;
  bool is_abstract = path[0] == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  struct socket_file file = {.path = is_abstract ? NULL : path, .mode = 0600, .uid = UNCHANGED, .gid = UNCHANGED};
  if (identity->count >= 2) file.uid = (uint32_t)list_number(identity, 0);
  if (identity->count >= 2) file.gid = (uint32_t)list_number(identity, 1);
  /* A worker's number is never reused, but a keeper that was killed may have left a socket with this name. */
  if (file.path) files_remove_socket(path, NULL);
  return files_bind(fd, (struct sockaddr *)&address, is_abstract ? length - 1 : length, &file, &made, &step);
}

/* The address of a worker's end after notify_lead: the path's text as an abstract name. The end receives only from its peer. */
static struct destination name_of_end(const struct notify *notify) {
  struct destination end = {.fd = notify->bound, .address = {.sun_family = AF_UNIX}};
  size_t length = strlen(notify->path);
  if (length >= sizeof end.address.sun_path) return (struct destination){.fd = -1};
  memcpy(end.address.sun_path + 1, notify->path, length);
  end.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  return end;
}

/* The address from getsockname(2) or getpeername(2); nameless if there is no peer. Returns its length, or 0 with errno. */
static socklen_t name_by(int (*name_of)(int, struct sockaddr *restrict, socklen_t *restrict), int fd, struct sockaddr_un *name) {
  socklen_t length = sizeof *name;
  if (name_of(fd, (struct sockaddr *)name, &length) == 0) return length;
  name->sun_family = AF_UNIX;
  return errno == ENOTCONN ? (socklen_t)sizeof name->sun_family : 0;
}

static bool is_nameless(const struct sockaddr_un *name, socklen_t length) {
  return name->sun_family == AF_UNIX && length == sizeof name->sun_family;
}

static bool is_named(const struct sockaddr_un *name, socklen_t length, const struct destination *as) {
  return length == as->length && memcmp(name, &as->address, length) == 0;
}

/* A write shows whether the other end lives. An empty datagram has no meaning in this protocol. */
static bool has_lost_its_peer(int fd) {
  if (send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0) return false;
  return errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET || errno == EPIPE;
}

int notify_lead(const struct notify *notify, int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return -1;
  /* An end that an earlier keeper has led already has its name, and that keeper's socket as its peer. */
  struct destination end = name_of_end(notify);
  struct destination bound = {.length = sizeof bound.address};
  if (getsockname(notify->bound, (struct sockaddr *)&bound.address, &bound.length) < 0) return -1;
  struct sockaddr_un own = {0};
  struct sockaddr_un peer = {0};
  socklen_t own_length = name_by(getsockname, fd, &own);
  socklen_t peer_length = name_by(getpeername, fd, &peer);
  bool has_name = end.fd >= 0 && is_named(&own, own_length, &end);
  bool is_an_end =
      (has_name || is_nameless(&own, own_length)) && (is_nameless(&peer, peer_length) || is_named(&peer, peer_length, &bound));
  if (type != SOCK_DGRAM || !is_an_end || !has_lost_its_peer(fd)) {
    errno = EPROTOTYPE;
    return -1;
  }
  /* Without a name it can send, but not be answered. */
  if (!has_name && end.fd >= 0) (void)!bind(fd, (struct sockaddr *)&end.address, end.length);
  return connect(fd, (struct sockaddr *)&bound.address, bound.length);
}

struct destination notify_destination(const struct notify *notify) {
  if (notify->pair >= 0) return (struct destination){.fd = notify->pair};
  if (notify->bound >= 0 && notify->path) return name_of_end(notify);
  return (struct destination){.fd = -1};
}

static int open_bound(struct notify *notify, const char *path, const struct list *identity) {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (set_up(fd) < 0 || bind_named(fd, path, identity) < 0) return descriptors_drop(fd);
  notify->bound = fd;
  notify->path = memory_copy_text(path, strlen(path));
  return 0;
}

int notify_open(struct notify *notify, bool pair, struct span name, const struct list *identity, int *workers_end) {
  SCOPED_TEXT path = span_text(name);
  *notify = (struct notify){.pair = -1, .bound = -1};
  *workers_end = -1;
  int result = pair ? open_pair(notify, workers_end) : 0;
  if (result == 0 && path[0] != '\0') result = open_bound(notify, path, identity);
  if (result == 0) return 0;
  int error = errno;
  if (*workers_end >= 0) (void)close(*workers_end);
  notify_close(notify);
  errno = error;
  return -1;
}

static void ready(struct worker *worker, uint8_t source) {
  if (worker->state == WORKER_RUNNING || worker->state == WORKER_LINGERING) notify_read(worker, source);
}

static void pair_ready(struct watcher *watcher) {
  ready(WATCHER_OWNER(watcher, struct worker, notify.pair_watcher), 0);
}

static void path_ready(struct watcher *watcher) {
  ready(WATCHER_OWNER(watcher, struct worker, notify.path_watcher), 1);
}

int notify_watch(struct worker *worker) {
  struct notify *notify = &worker->notify;
  notify->pair_watcher = (struct watcher){.ready = pair_ready, .turn = TURN_DATAGRAMS};
  notify->path_watcher = (struct watcher){.ready = path_ready, .turn = TURN_DATAGRAMS};
  if (notify->pair >= 0 && poller_add(notify->pair, &notify->pair_watcher, EPOLLIN) < 0) return -1;
  if (notify->bound >= 0 && poller_add(notify->bound, &notify->path_watcher, EPOLLIN) < 0) return -1;
  notify->watched = true;
  notify->paused = false;
  return 0;
}

static void watch_again(struct notify *notify) {
  if (!notify->watched) return;
  uint32_t events = notify->paused || notify->fetching ? 0 : EPOLLIN;
  if (notify->pair >= 0) (void)poller_change(notify->pair, &notify->pair_watcher, events);
  if (notify->bound >= 0) (void)poller_change(notify->bound, &notify->path_watcher, events);
}

static void pause_reading(struct notify *notify, bool pause) {
  if (!notify->watched || notify->paused == pause) return;
  notify->paused = pause;
  watch_again(notify);
}

static void tell(uint64_t worker, uint8_t source, const struct datagram *datagram) {
  uint32_t flags = datagram->flags & MSG_TRUNC ? FLAG_TRUNCATED : 0;
  uint32_t count = datagram->fd_count;
  if ((datagram->flags & MSG_CTRUNC) || datagram->lost > 0) flags |= FLAG_DESCRIPTORS_LOST;
  if (held + count > MOST_HELD) {
    for (uint32_t i = 0; i < count; i++) admission_close(datagram->fds[i]);
    count = 0;
    flags |= FLAG_DESCRIPTORS_LOST;
  }
  held += count;
  const struct ucred *sender = &datagram->sender;
  put_datagram(events_begin(MESSAGE_datagram), &(struct message_datagram){worker, source, (uint32_t)sender->pid, sender->uid,
                                                                          sender->gid, flags, count, datagram->said});
  events_post_with(worker, datagram->fds, count);
}

/* Whether one of its lines begins with the word. */
static bool says(struct span said, const char *word) {
  size_t length = strlen(word);
  while (said.length > 0) {
    struct span line = span_take_line(&said);
    if (line.length >= length && memcmp(line.data, word, length) == 0) return true;
  }
  return false;
}

void notify_take(struct worker *worker, uint8_t source, const struct datagram *datagram) {
  if (watchdog_hears(worker, datagram->sender.pid, datagram->said) && datagram->fd_count + datagram->lost == 0) return;
  worker->notify.queued++;
  tell(worker->id, source, datagram);
  if (says(datagram->said, "MAINPID=")) worker->notify.names_main = events_last();
}

static struct ucred sender_of(struct msghdr *message) {
  struct ucred sender = {.pid = 0, .uid = UNCHANGED, .gid = UNCHANGED};
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS)
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
  return sender;
}

static void fetch(struct worker *worker, uint8_t source, int fd) {
  struct notify *notify = &worker->notify;
  uint8_t bit = (uint8_t)(1U << source);
  notify->fetching |= bit;
  if (fetch_datagrams(worker->id, source, fd) < 0) notify->waiting |= bit;
  watch_again(notify);
}

/* Reads one datagram; false if none is waiting or it must be received elsewhere. It peeks first: the peek has no room for
 * descriptors (MSG_CTRUNC), so this process never receives them. Until such a datagram is received elsewhere, no later one is
 * read from either socket. */
static bool receive(struct worker *worker, uint8_t source) {
  const struct notify *notify = &worker->notify;
  uint8_t bytes[LIMIT_DATAGRAM_BYTES];
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct ucred))];
  int fd = source == 0 ? notify->pair : notify->bound;
  if (fd < 0 || notify->fetching) return false;
  struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n;
  do n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return false;
  if (message.msg_flags & MSG_CTRUNC) {
    fetch(worker, source, fd);
    return false;
  }
  (void)recv(fd, NULL, 0, MSG_DONTWAIT);
  struct datagram datagram = {.sender = sender_of(&message), .flags = message.msg_flags};
  datagram.said = (struct span){.data = bytes, .length = (size_t)n};
  notify_take(worker, source, &datagram);
  return true;
}

void notify_fetched(struct worker *worker, uint8_t source) {
  struct notify *notify = &worker->notify;
  notify->fetching &= (uint8_t) ~(1U << source);
  watch_again(notify);
}

bool notify_waits_to_fetch(const struct notify *notify) {
  return notify->waiting != 0;
}

void notify_fetch_again(struct worker *worker) {
  struct notify *notify = &worker->notify;
  for (uint8_t source = 0; source <= 1; source++) {
    if (!(notify->waiting & (1U << source))) continue;
    notify->waiting &= (uint8_t) ~(1U << source);
    notify_fetched(worker, source);
  }
}

/* If many are queued already, each worker gets only a few: exits and starts wait behind all of them. */
static uint32_t most_queued(void) {
  return events_count(MESSAGE_datagram) < MOST_IN_ALL ? MOST_QUEUED : MOST_BEYOND;
}

void notify_read(struct worker *worker, uint8_t source) {
  for (int i = 0; worker->notify.queued < most_queued(); i++) {
    if (i == MOST_AT_ONCE || !receive(worker, source)) return;
  }
  pause_reading(&worker->notify, true);
}

void notify_finish(struct worker *worker) {
  for (uint8_t source = 0; source <= 1; source++) {
    for (int i = 0; i < MOST_AT_END && receive(worker, source); i++) continue;
  }
}

void notify_consumed(struct worker *worker) {
  struct notify *notify = &worker->notify;
  if (notify->queued > 0) notify->queued--;
  if (notify->queued <= MOST_QUEUED / 2) pause_reading(notify, false);
}

void notify_descriptors_gone(uint32_t count) {
  held -= count < held ? count : held;
}

static void close_one(int *fd, const struct watcher *watcher, bool watched) {
  if (*fd < 0) return;
  if (watched) poller_remove(*fd, watcher);
  admission_close_unread(*fd);
  *fd = -1;
}

void notify_close(struct notify *notify) {
  close_one(&notify->pair, &notify->pair_watcher, notify->watched);
  close_one(&notify->bound, &notify->path_watcher, notify->watched);
  if (notify->path && notify->path[0] != '@') files_remove_socket(notify->path, NULL);
  free(notify->path);
  notify->path = NULL;
  notify->watched = false;
  notify->fetching = notify->waiting = 0;
}

#define SAVED(FIELD) FIELD(descriptor, pair) FIELD(descriptor, bound) FIELD(text, path) FIELD(u32, queued)

void notify_save(const struct notify *it, struct buffer *out) {
  SAVED(SAVE)
}

void notify_load(struct notify *it, struct reader *in) {
  *it = (struct notify){0};
  SAVED(LOAD)
}
