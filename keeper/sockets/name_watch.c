#include "sockets/name_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"

/* MOST_AT_ONCE: how often a name is restored at once within CALM_MS. After that, and if it cannot be restored, there are
 * growing pauses. */
enum {
  MOST_AT_ONCE = 64,
  CALM_MS = 60 * 1000,
  FIRST_PAUSE_MS = 1000,
  LONGEST_PAUSE_MS = 300 * 1000,
  EXCHANGE_MS = 100,
  SPARE_BYTES = 300
};

static void inotify_ready(struct watcher *watcher);
static void look_at_due(void);

static int inotify = -1;
static struct watcher inotify_watcher = {.ready = inotify_ready, .turn = TURN_SOCKETS};
static struct timer timer = {.expired = look_at_due};

void name_watch_set_deadline(void) {
  uint64_t next = 0;
  for (uint32_t i = 0; i < names_count(); i++) {
    uint64_t at = names_at(i)->check_at;
    if (at != 0 && (next == 0 || at < next)) next = at;
  }
  timer_set(&timer, next);
}

static void unwatch(int *watch) {
  if (*watch >= 0 && inotify >= 0) (void)inotify_rm_watch(inotify, *watch);
  *watch = -1;
}

/* Names in the same directory share its watch. */
void name_watch_end(struct name *name) {
  unwatch(&name->own_watch);
  bool is_shared = false;
  for (uint32_t i = 0; i < names_count(); i++)
    is_shared |= names_at(i) != name && names_at(i)->directory_watch == name->directory_watch;
  if (is_shared) name->directory_watch = -1;
  else unwatch(&name->directory_watch);
}

static int open_inotify(void) {
  if (inotify >= 0) return 0;
  inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (inotify < 0) return -1;
  if (poller_add(inotify, &inotify_watcher, EPOLLIN) == 0) return 0;
  inotify = descriptors_drop(inotify);
  return -1;
}

/* The file reports when it is renamed, and, through its link count, when one of its names is removed or replaced. Its directory
 * reports when it goes away itself. Nothing else in the directory wakes the keeper. */
static int arm(struct name *name) {
  char path[32];
  if (open_inotify() < 0) return -1;
  if (name->own_watch < 0) {
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", name->look);
    name->own_watch = inotify_add_watch(inotify, path, IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONESHOT);
    if (name->own_watch < 0) return -1;
  }
  if (name->directory_watch >= 0) return 0;
  SCOPED_TEXT directory = memory_copy_text(name->path, strlen(name->path));
  char *slash = strrchr(directory, '/');
  if (slash) slash[slash == directory ? 1 : 0] = '\0';
  name->directory_watch = inotify_add_watch(inotify, directory, IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR | IN_ONESHOT);
  return name->directory_watch < 0 ? -1 : 0;
}

bool name_watch_leads_to_it(const struct name *name, const char *path) {
  struct file_identity wanted = names_identity(name);
  struct file_identity found;
  int look = files_look(path, &found, NULL);
  if (look < 0) return false;
  (void)close(look);
  return files_is_same(&wanted, &found);
}

void name_watch_make_spare(struct name *name, const char *wanted) {
  char beside[SPARE_BYTES];
  if (name->look < 0) return;
  if (name->spare) {
    if (name_watch_leads_to_it(name, name->spare)) return;
    files_remove_socket(name->spare, NULL);
    if (files_link(name->look, name->spare) == 0) return;
    free(name->spare);
    name->spare = NULL;
  }
  const char *slash = strrchr(name->path, '/');
  int length = snprintf(beside, sizeof beside, "%.*s/.%s.crank", (int)(slash ? slash - name->path : 0), name->path,
                        slash ? slash + 1 : name->path);
  const char *places[] = {wanted[0] == '\0' ? NULL : wanted, length > 0 && (size_t)length < sizeof beside ? beside : NULL};
  for (size_t i = 0; i < sizeof places / sizeof *places && !name->spare; i++) {
    if (!places[i]) continue;
    files_remove_socket(places[i], NULL); /* left by a keeper that was killed */
    if (files_link(name->look, places[i]) == 0) name->spare = memory_copy_text(places[i], strlen(places[i]));
  }
}

static void tell(struct name *name, uint8_t state, uint32_t pid, int error) {
  name->state = state;
  post_event(nameChanged, 0, name->handle, state, pid, (uint32_t)error);
}

/* The pid of the process that listens on the socket file; 0 if it is unknown, -1 if none listens. */
static int64_t listener_at(int look, int type) {
  char path[32];
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", look);
  memcpy(address.sun_path, path, strlen(path) + 1);
  int64_t pid = 0;
  struct ucred peer = {0};
  socklen_t length = sizeof peer;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) pid = errno == ECONNREFUSED ? -1 : 0;
  else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) pid = peer.pid;
  (void)close(fd);
  return pid;
}

/* Gives the file its name again. False if a new socket must be bound, or the name is in use. */
static bool put_back(struct name *name, int *error) {
  if (name->look < 0 && name->spare) name->look = names_look_at(name->handle, name->spare);
  *error = name->look < 0 ? ENOENT : 0;
  if (name->look >= 0 && files_link(name->look, name->path) < 0) *error = errno;
  return *error == 0;
}

/* Leaves the name alone if another process listens there; takes it back from a stale socket. */
static void take_name(struct name *name) {
  struct file_identity found;
  mode_t mode = 0;
  int look = files_look(name->path, &found, &mode);
  struct handle *handle = handles_find(name->handle);
  int64_t pid = look >= 0 && S_ISSOCK(mode) && handle ? listener_at(look, (int)handle->type) : 0;
  bool is_stale = look >= 0 && S_ISSOCK(mode) && pid < 0;
  if (is_stale) files_remove_socket(name->path, &found);
  if (look >= 0) (void)close(look);
  int error = EEXIST;
  if (is_stale && put_back(name, &error)) tell(name, NAME_RESTORED, 0, 0);
  else if (look >= 0 && S_ISSOCK(mode) && !is_stale) tell(name, NAME_TAKEN, (uint32_t)pid, 0);
  else if (error == EEXIST) tell(name, NAME_BLOCKED, 0, error);
  else tell(name, NAME_LOST, 0, error);
}

/* Checks whether the name still leads to the socket, and restores it if possible. */
static void check(struct name *name) {
  if (name_watch_leads_to_it(name, name->path)) {
    if (name->spare) name_watch_make_spare(name, name->spare);
    if (name->state != NAME_RESTORED) tell(name, NAME_RESTORED, 0, 0);
    return;
  }
  int error;
  if (put_back(name, &error)) tell(name, NAME_RESTORED, 0, 0);
  else if (error == EEXIST) take_name(name);
  else tell(name, NAME_LOST, 0, error);
}

/* Plans the next check: at the next event, or after a pause if events are too frequent or the name is not in place. */
static void plan(struct name *name, bool by_itself) {
  uint64_t now = clock_now();
  name->check_at = 0;
  if (now - name->since > CALM_MS + name->pause) {
    name->since = now;
    name->count = 0;
    name->pause = 0;
  }
  if (by_itself) name->count++;
  bool is_calm = name->state == NAME_RESTORED && name->count <= MOST_AT_ONCE;
  if (!is_calm) {
    name->pause = name->pause == 0 ? FIRST_PAUSE_MS : name->pause * 2 < LONGEST_PAUSE_MS ? name->pause * 2 : LONGEST_PAUSE_MS;
    name->since = now;
    name->check_at = now + name->pause;
    name_watch_end(name);
  } else if (arm(name) < 0) {
    events_failed(COMMAND_watchName, name->handle, "inotify", errno);
    name->watched = false; /* checked again when the supervisor asks */
  }
  name_watch_set_deadline();
}

void name_watch_attend(struct name *name, bool by_itself) {
  check(name);
  plan(name, by_itself);
  /* Catches a change between the check and the watch. */
  if (name->state == NAME_RESTORED && name->own_watch >= 0 && !name_watch_leads_to_it(name, name->path)) {
    check(name);
    plan(name, true);
  }
}

static void inotify_ready(struct watcher *watcher) {
  (void)watcher;
  _Alignas(struct inotify_event) char bytes[4096];
  ssize_t length;
  while ((length = read(inotify, bytes, sizeof bytes)) > 0) {
    for (char *at = bytes; at < bytes + length;) {
      const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
      at += sizeof *event + event->len;
      if (event->mask & IN_IGNORED) continue;
      for (uint32_t i = 0; i < names_count(); i++) {
        struct name *name = names_at(i);
        bool own = name->own_watch == event->wd;
        bool directory = name->directory_watch == event->wd;
        if (own) name->own_watch = -1; /* each watch is for one event */
        if (directory) name->directory_watch = -1;
        /* A rename is often the first half of an exchange, so it gets time to finish. */
        uint64_t at_once = event->mask & IN_MOVE_SELF ? clock_now() + EXCHANGE_MS : 1;
        if ((own || directory) && name->watched) name->check_at = at_once;
      }
    }
  }
  look_at_due();
}

static void look_at_due(void) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < names_count(); i++) {
    if (names_at(i)->check_at == 0 || names_at(i)->check_at > now) continue;
    name_watch_attend(names_at(i), true);
  }
  name_watch_set_deadline();
}

bool name_watch_suspend(struct name *name) {
  bool is_watched = name->own_watch >= 0;
  if (is_watched) unwatch(&name->own_watch);
  return is_watched;
}

void name_watch_resume(struct name *name) {
  if (arm(name) < 0) name->watched = false;
}
