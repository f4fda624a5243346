/* Longer than other files, because it is the whole life of a fetch: queued, active, killed, reaped. */
#include "sockets/fetch.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "app/admission.h"
#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "process/child.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/fetch_child.h"
#include "sockets/handles.h"

enum {
  MOST_PROCESSES = 64, /* includes killed ones that their file system still blocks */
  MOST_OF_ONE_WORKER = 4,
  PATIENCE_MS = 1000,
  SETTLE_MS = 300,
  RETRY_MS = 100, /* after a fork failed */
};

enum kind { DATAGRAMS, DESCRIPTOR, NOTIFY_END };

/* Queued (no child), active (with a channel), or killed and not reaped yet (no channel). */
struct fetch {
  uint64_t id;
  enum kind kind;
  uint64_t owner; /* a worker; for DESCRIPTOR the handle */
  uint8_t source;
  struct fetch_target target;
  pid_t child;
  int channel;
  struct watcher watcher; /* of the channel */
  uint64_t until;
};

static void expire(void);

static const struct fetch_owner *owner;
static struct timer timer = {.expired = expire};
static struct fetch **fetches;
static uint32_t count;
static uint64_t last_id;
static uint64_t retry_at;
static bool is_settling; /* starts nothing more */

void fetch_is_for(const struct fetch_owner *whose) {
  owner = whose;
}

static struct fetch *find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->id == id) return fetches[i];
  }
  return NULL;
}

static struct fetch *add(enum kind kind, uint64_t whose) {
  fetches = memory_grow(fetches, count, sizeof *fetches);
  struct fetch *fetch = memory_take_zeroed(sizeof *fetch);
  *fetch = (struct fetch){.id = ++last_id, .kind = kind, .owner = whose, .channel = -1};
  fetches[count++] = fetch;
  return fetch;
}

static void discard(struct fetch *fetch) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i] == fetch) fetches[i] = fetches[--count];
  }
  free(fetch);
}

static uint32_t processes(void) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; i++) found += fetches[i]->child > 0 ? 1 : 0;
  return found;
}

static uint32_t processes_of(uint64_t worker) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->kind != DESCRIPTOR && fetches[i]->owner == worker && fetches[i]->child > 0) found++;
  }
  return found;
}

static void arm(void) {
  uint64_t next = retry_at;
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->channel >= 0 && (next == 0 || fetches[i]->until < next)) next = fetches[i]->until;
  }
  timer_set(&timer, next);
}

static void go_on_hearing(uint64_t id);

static void ready(struct watcher *watcher) {
  go_on_hearing(WATCHER_OWNER(watcher, struct fetch, watcher)->id);
}

/* Forks the process and watches its channel. -1 with errno. */
static int start(struct fetch *fetch, int socket) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  struct fetch copy = *fetch; /* the child has no heap */
  pid_t child = memory_fork();
  if (child == 0) {
    if (copy.kind == DATAGRAMS) fetch_child_receive(ends[1], socket);
    fetch_child_take(ends[1], &copy.target);
  }
  (void)descriptors_drop(ends[1]);
  fetch->watcher = (struct watcher){.ready = ready, .turn = TURN_RECEIVED};
  if (child > 0 && poller_add(ends[0], &fetch->watcher, EPOLLIN) == 0) {
    fetch->child = child;
    fetch->channel = ends[0];
    fetch->until = clock_now() + PATIENCE_MS;
    arm();
    return 0;
  }
  int error = errno;
  if (child > 0) (void)kill(child, SIGKILL); /* reaped as an unknown child */
  errno = error;
  return descriptors_drop(ends[0]);
}

static void tell_failure(const struct fetch *fetch, const char *step, int error) {
  if (fetch->kind == DESCRIPTOR) events_failed(COMMAND_takeDescriptor, fetch->owner, step, error);
  if (fetch->kind == NOTIFY_END) events_failed(COMMAND_adopt, fetch->owner, "notify-descriptor", error);
}

static void take_descriptor(const struct fetch *fetch, int fd) {
  if (fetch->kind == NOTIFY_END) {
    if (owner->took_notify_end(fetch->owner, fd) < 0) tell_failure(fetch, "", errno);
    admission_close(fd);
  } else if (handles_add_foreign(fetch->owner, fd) < 0) {
    int error = errno;
    admission_close(fd);
    tell_failure(fetch, "handle", error);
  }
}

/* Starts as many queued fetches as there is room for. */
static void start_waiting(void) {
  for (uint32_t i = 0; i < count && processes() < MOST_PROCESSES / 2;) {
    struct fetch *fetch = fetches[i];
    if (fetch->child > 0 || start(fetch, -1) == 0) {
      i++;
      continue;
    }
    tell_failure(fetch, "fork", errno);
    discard(fetch);
  }
}

/* The process has sent everything, or is killed. Resumes what waited for it. */
static void finish(struct fetch *fetch, int error) {
  struct fetch ended = *fetch;
  poller_remove(fetch->channel, &fetch->watcher);
  (void)close(fetch->channel);
  (void)kill(fetch->child, SIGKILL); /* not reaped yet, so the pid is still its own */
  fetch->channel = -1;
  fetch->owner = fetch->kind == DESCRIPTOR ? 0 : fetch->owner;
  arm();
  if (error != 0) tell_failure(&ended, "process", error);
  if (ended.kind == DATAGRAMS) owner->finished(ended.owner, ended.source);
}

static uint32_t received_descriptors(struct msghdr *message, int *fds) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return 0;
  uint32_t found = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds);
  memcpy(fds, CMSG_DATA(header), found * sizeof *fds);
  return found;
}

/* Reads one message of the process: 1 for a datagram, 2 for the result, 0 at the end, -1 if none is waiting. The callbacks may
 * free `fetch`, so the caller looks it up by its id afterwards. */
static int hear(struct fetch *fetch) {
  struct fetch_head head = {0};
  uint8_t bytes[LIMIT_DATAGRAM_BYTES];
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FETCH_MOST_DESCRIPTORS * sizeof(int))];
  struct iovec parts[] = {{.iov_base = &head, .iov_len = sizeof head}, {.iov_base = bytes, .iov_len = sizeof bytes}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n;
  do n = recvmsg(fetch->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? -1 : 0;
  if (n < (ssize_t)sizeof head) return 0;
  int fds[FETCH_MOST_DESCRIPTORS];
  uint32_t found = received_descriptors(&message, fds);
  if (message.msg_flags & MSG_CTRUNC) head.lost++;
  if (head.kind == FETCH_DATAGRAM) {
    struct datagram datagram = {
        .sender = head.sender, .flags = (int)head.flags, .lost = head.lost, .fds = fds, .fd_count = found};
    datagram.said = (struct span){.data = bytes, .length = (size_t)n - sizeof head};
    owner->received(fetch->owner, fetch->source, &datagram);
    return 1;
  }
  if (head.kind == FETCH_TAKEN && found == 1) take_descriptor(fetch, fds[0]);
  else tell_failure(fetch, head.kind == FETCH_FAILED ? head.step : "descriptor", head.kind == FETCH_FAILED ? head.error : EMFILE);
  return 2;
}

static void go_on_hearing(uint64_t id) {
  for (;;) {
    struct fetch *fetch = find(id);
    if (!fetch || fetch->channel < 0) return;
    int heard = hear(fetch);
    if (heard < 0) return;
    fetch = find(id);
    if (!fetch || fetch->channel < 0) return;
    if (heard == 1) continue;
    finish(fetch, heard == 0 && fetch->kind != DATAGRAMS ? ECANCELED : 0);
    return;
  }
}

static void expire(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->channel >= 0 && fetches[i]->until <= now) finish(fetches[i], ETIMEDOUT);
  }
  bool retries = retry_at != 0 && retry_at <= now;
  if (retries) retry_at = 0;
  arm();
  if (retries) owner->has_room();
}

bool fetch_has_child(uint32_t pid) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->child == (pid_t)pid) return true;
  }
  return false;
}

bool fetch_child_gone(const siginfo_t *info) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->child != info->si_pid) continue;
    uint64_t id = fetches[i]->id;
    go_on_hearing(id); /* first, messages from before its end */
    struct fetch *fetch = find(id);
    if (fetch && fetch->channel >= 0) finish(fetch, fetch->kind == DATAGRAMS ? 0 : ECANCELED);
    child_reap(info->si_pid);
    fetch = find(id);
    if (fetch) discard(fetch);
    start_waiting();
    owner->has_room();
    return true;
  }
  return false;
}

/* A process with the keeper's own ids could do the same to the keeper, and Yama accepts the keeper only as an ancestor. So the
 * keeper takes its descriptors itself. */
static bool is_trusted(const struct fetch_target *target) {
  return target->uid == UNCHANGED ? geteuid() != 0 : target->uid == geteuid();
}

static void take_at_once(const struct fetch *fetch) {
  const char *step = "";
  int fd = fetch_take(&fetch->target, &step);
  if (fd >= 0 && admission_allows(fd)) take_descriptor(fetch, fd);
  else if (fd >= 0) {
    admission_close(fd);
    tell_failure(fetch, "descriptor", EXDEV);
  } else tell_failure(fetch, step, errno);
}

static void take(enum kind kind, uint64_t whose, const struct fetch_target *target) {
  struct fetch wanted = {.kind = kind, .owner = whose, .target = *target};
  if (is_trusted(target)) {
    take_at_once(&wanted);
    return;
  }
  add(kind, whose)->target = *target;
  start_waiting();
}

void fetch_descriptor(struct reader *fields) {
  struct command_takeDescriptor command = read_takeDescriptor(fields);
  struct fetch_target target = {command.pid, command.start_time, command.fd, command.uid, command.gid};
  take(DESCRIPTOR, command.handle, &target);
}

void fetch_notify_end(uint64_t worker, uint32_t pid, uint64_t start_time, uint32_t number) {
  struct fetch_target target = {.pid = pid, .start_time = start_time, .number = number, .uid = UNCHANGED, .gid = UNCHANGED};
  take(NOTIFY_END, worker, &target);
}

int fetch_datagrams(uint64_t worker, uint8_t source, int socket) {
  if (is_settling || processes() >= MOST_PROCESSES || processes_of(worker) >= MOST_OF_ONE_WORKER) return -1;
  struct fetch *fetch = add(DATAGRAMS, worker);
  fetch->source = source;
  if (start(fetch, socket) == 0) return 0;
  discard(fetch);
  retry_at = clock_now() + RETRY_MS;
  arm();
  return -1;
}

bool fetch_is_receiving(uint64_t worker) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->kind == DATAGRAMS && fetches[i]->owner == worker && fetches[i]->channel >= 0) return true;
  }
  return false;
}

uint64_t fetch_begun(void) {
  return last_id;
}

bool fetch_taken_up_to(uint64_t begun) {
  for (uint32_t i = 0; i < count; i++) {
    bool is_open = fetches[i]->channel >= 0 || fetches[i]->child == 0;
    if (fetches[i]->kind != DATAGRAMS && fetches[i]->id <= begun && is_open) return false;
  }
  return true;
}

void fetch_forget(uint64_t worker) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->kind == DATAGRAMS && fetches[i]->owner == worker && fetches[i]->channel >= 0) finish(fetches[i], 0);
  }
}

static bool is_at_work(void) {
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->channel >= 0 || fetches[i]->child == 0) return true;
  }
  return false;
}

void fetch_settle(void) {
  uint64_t until = clock_now() + SETTLE_MS;
  while (is_at_work() && clock_now() < until) {
    for (uint32_t i = 0; i < count; i++) {
      struct pollfd waited = {.fd = fetches[i]->channel, .events = POLLIN};
      if (fetches[i]->channel >= 0 && poll(&waited, 1, 5) > 0) go_on_hearing(fetches[i]->id);
    }
    start_waiting();
  }
  is_settling = true;
  for (uint32_t i = 0; i < count; i++) {
    if (fetches[i]->channel >= 0) finish(fetches[i], ECANCELED);
    else if (fetches[i]->child == 0) tell_failure(fetches[i], "process", ECANCELED);
  }
  while (count > 0) free(fetches[--count]); /* the next image reaps the children as unknown ones */
  is_settling = false;
}
