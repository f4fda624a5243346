/* A bound socket cannot be bound again, but link(2) can give its file another name as long as it has one. So a watched file has
 * a spare name in another place, from which its own name is restored. It is still the same socket with its queue, so workers
 * need not notice. A new socket must be bound only when both names are gone. */
#include "sockets/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/files.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"
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

struct name {
  uint64_t handle;
  char *path;
  char *spare;   /* the spare name; NULL: none */
  int look;      /* the file (O_PATH); -1: it did not exist at the first check */
  bool watched;  /* the supervisor wants events */
  int own_watch; /* inotify watches of the file and its directory, each for one event; -1: none */
  int directory_watch;
  uint8_t state;
  uint64_t since; /* when the first of `count` was restored */
  uint32_t count;
  uint64_t pause;    /* ms */
  uint64_t check_at; /* 0: no check is planned */
};

static struct name **names;
static uint32_t count;
static int inotify = -1;

static void inotify_ready(struct watcher *watcher, uint32_t events);
static void look_at_due(void);
static struct watcher inotify_watcher = {.ready = inotify_ready, .turn = TURN_SOCKETS};
static struct timer timer = {.expired = look_at_due};

static struct name *find(uint64_t handle) {
  for (uint32_t i = 0; i < count; i++) {
    if (names[i]->handle == handle) return names[i];
  }
  return NULL;
}

static void set_deadline(void) {
  uint64_t next = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t at = names[i]->check_at;
    if (at != 0 && (next == 0 || at < next)) next = at;
  }
  timer_set(&timer, next);
}

/* The file ---------------------------------------------------------------------------------------------------------- */

static struct file_identity identity(const struct name *name) {
  struct stat status;
  if (name->look < 0 || fstat(name->look, &status) < 0) return (struct file_identity){0};
  return (struct file_identity){.device = status.st_dev, .inode = status.st_ino};
}

/* Opens the path if it leads to the handle's socket. */
static int look_at(uint64_t handle, const char *path) {
  struct file_identity file = files_of_socket(handles_fd(handle), path);
  struct file_identity found;
  int look = file.inode != 0 ? files_look(path, &found, NULL) : -1;
  if (look >= 0 && !files_is_same(&file, &found)) {
    (void)close(look);
    return -1;
  }
  return look;
}

static void unwatch(int *watch) {
  if (*watch >= 0 && inotify >= 0) (void)inotify_rm_watch(inotify, *watch);
  *watch = -1;
}

/* Names in the same directory share its watch. */
static void unwatch_both(struct name *name) {
  unwatch(&name->own_watch);
  bool is_shared = false;
  for (uint32_t i = 0; i < count; i++) is_shared |= names[i] != name && names[i]->directory_watch == name->directory_watch;
  if (is_shared) name->directory_watch = -1;
  else unwatch(&name->directory_watch);
}

static void remove_spare(struct name *name) {
  struct file_identity file = identity(name);
  if (name->spare && file.inode != 0) files_remove_socket(name->spare, &file);
  free(name->spare);
  name->spare = NULL;
}

static void drop(struct name *name) {
  unwatch_both(name);
  remove_spare(name);
  if (name->look >= 0) (void)close(name->look);
  free(name->path);
  for (uint32_t i = 0; i < count; i++) {
    if (names[i] == name) names[i] = names[--count];
  }
  free(name);
  set_deadline();
}

static struct name *append(uint64_t handle, const char *path) {
  names = memory_resize(names, ((size_t)count + 1) * sizeof *names);
  struct name *name = memory_take_zeroed(sizeof *name);
  *name = (struct name){.handle = handle, .look = -1, .own_watch = -1, .directory_watch = -1};
  name->path = memory_copy_text(path, strlen(path));
  names[count++] = name;
  return name;
}

void names_made(uint64_t handle, const char *path) {
  struct name *name = find(handle);
  if (name) drop(name);
  name = append(handle, path);
  name->look = look_at(handle, path);
}

void names_forget(uint64_t handle) {
  struct name *name = find(handle);
  if (name) drop(name);
}

/* A socket that was bound elsewhere is found by its address. NULL if it has no path, or a relative one, which only its creator
 * can resolve. */
static struct name *known(uint64_t handle) {
  struct name *name = find(handle);
  if (name) return name;
  _Alignas(8) uint8_t address[sizeof(struct sockaddr_un) + 1] = {0};
  int fd = handles_fd(handle);
  size_t length = fd < 0 ? 0 : handles_address(fd, address, sizeof(struct sockaddr_un));
  const struct sockaddr_un *bound = (const struct sockaddr_un *)(const void *)address;
  if (length <= sizeof(sa_family_t) || bound->sun_family != AF_UNIX || bound->sun_path[0] != '/') return NULL;
  name = append(handle, bound->sun_path);
  name->look = look_at(handle, name->path);
  return name;
}

/* Watching ---------------------------------------------------------------------------------------------------------- */

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

static bool leads_to_it(const struct name *name, const char *path) {
  struct file_identity wanted = identity(name);
  struct file_identity found;
  int look = files_look(path, &found, NULL);
  if (look < 0) return false;
  (void)close(look);
  return files_is_same(&wanted, &found);
}

/* Creates the spare name: at `wanted`, or next to the file if that is on another file system. */
static void make_spare(struct name *name, const char *wanted) {
  char beside[SPARE_BYTES];
  if (name->look < 0) return;
  if (name->spare) {
    if (leads_to_it(name, name->spare)) return;
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
  if (name->look < 0 && name->spare) name->look = look_at(name->handle, name->spare);
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
  if (leads_to_it(name, name->path)) {
    if (name->spare) make_spare(name, name->spare);
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
    unwatch_both(name);
  } else if (arm(name) < 0) {
    events_failed(COMMAND_watchName, name->handle, "inotify", errno);
    name->watched = false; /* checked again when the supervisor asks */
  }
  set_deadline();
}

static void attend(struct name *name, bool by_itself) {
  check(name);
  plan(name, by_itself);
  /* Catches a change between the check and the watch. */
  if (name->state == NAME_RESTORED && name->own_watch >= 0 && !leads_to_it(name, name->path)) {
    check(name);
    plan(name, true);
  }
}

void names_watch(struct reader *fields) {
  struct command_watchName command = read_watchName(fields);
  SCOPED_TEXT spare = span_text(command.spare);
  struct name *name = known(command.handle);
  if (name && name->look < 0 && !name->spare && spare[0] != '\0') name->spare = memory_copy_text(spare, strlen(spare));
  if (name && name->look >= 0) {
    unwatch_both(name);
    make_spare(name, spare);
  }
  if (name) {
    name->watched = true;
    attend(name, false);
  }
}

static void inotify_ready(struct watcher *watcher, uint32_t events) {
  (void)watcher;
  (void)events;
  _Alignas(struct inotify_event) char bytes[4096];
  ssize_t length;
  while ((length = read(inotify, bytes, sizeof bytes)) > 0) {
    for (char *at = bytes; at < bytes + length;) {
      const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
      at += sizeof *event + event->len;
      if (event->mask & IN_IGNORED) continue;
      for (uint32_t i = 0; i < count; i++) {
        struct name *name = names[i];
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
  for (uint32_t i = 0; i < count; i++) {
    if (names[i]->check_at == 0 || names[i]->check_at > now) continue;
    attend(names[i], true);
  }
  set_deadline();
}

/* What the supervisor does to names ------------------------------------------------------------------------------------ */

static bool is_owned_by(const struct name *name, uint32_t uid, uint32_t gid) {
  struct stat status;
  if (name->look < 0 || fstat(name->look, &status) < 0) return false;
  return (uid == UNCHANGED || status.st_uid == uid) && (gid == UNCHANGED || status.st_gid == gid);
}

void names_give(struct reader *fields) {
  struct command_giveName command = read_giveName(fields);
  struct name *name = known(command.handle);
  if (name && is_owned_by(name, command.uid, command.gid)) return; /* usually: this comes before each start */
  struct file_identity file = name ? identity(name) : (struct file_identity){0};
  bool is_watched = name && name->own_watch >= 0;
  if (is_watched) unwatch(&name->own_watch); /* suppresses the event for the keeper's own change */
  if (!name) errno = EBADF;
  if (!name || files_give(name->path, &file, command.uid, command.gid) < 0)
    events_failed(COMMAND_giveName, command.handle, "chown", errno);
  if (is_watched && arm(name) < 0) name->watched = false;
}

void names_remove(struct reader *fields) {
  struct name *name = known(read_removeName(fields).handle);
  if (!name) return;
  struct file_identity file = identity(name);
  unwatch_both(name);
  if (file.inode != 0) files_remove_socket(name->path, &file);
  drop(name);
}

/* Opens a new socket of the same kind at the same path. */
static int open_again(const struct name *name, const struct handle *handle, struct file_identity *made, const char **step) {
  struct stat status;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct socket_file file = {.path = name->path, .mode = UNCHANGED, .uid = UNCHANGED, .gid = UNCHANGED};
  if (name->look >= 0 && fstat(name->look, &status) == 0)
    file = (struct socket_file){.path = name->path, .mode = status.st_mode & 0777, .uid = status.st_uid, .gid = status.st_gid};
  if (file.uid == geteuid()) file.uid = UNCHANGED;
  if (file.gid == getegid()) file.gid = UNCHANGED;
  size_t length = strlen(name->path);
  *step = "bind";
  if (length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, name->path, length);
  *step = "socket";
  int fd = socket(AF_UNIX, (int)handle->type | SOCK_CLOEXEC | (handles_is_non_blocking(handle->fd) ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) return -1;
  /* A socket that was shut down still has its name. */
  struct file_identity old = identity(name);
  if (leads_to_it(name, name->path)) files_remove_socket(name->path, &old);
  bool ready = files_bind(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + length + 1), &file, made, step) == 0;
  if (ready && handle->type != SOCK_DGRAM) {
    *step = "listen";
    ready = listen(fd, handle->backlog > 0 ? (int)handle->backlog : SOMAXCONN) == 0;
    if (!ready) files_remove_socket(name->path, made);
  }
  return ready ? fd : descriptors_drop(fd);
}

void names_bind_again(struct reader *fields) {
  struct command_bindAgain command = read_bindAgain(fields);
  uint64_t id = command.handle;
  struct name *name = find(id);
  struct handle *handle = handles_find(id);
  const char *step = "handle";
  struct file_identity made;
  bool is_free = command.kept == 0 || !handles_find(command.kept);
  errno = is_free ? EBADF : EEXIST;
  int fd = name && handle && is_free ? open_again(name, handle, &made, &step) : -1;
  if (fd >= 0) step = "handle";
  if (fd < 0 || handles_exchange(id, fd, command.kept) < 0) {
    int error = errno;
    if (fd >= 0) {
      files_remove_socket(name->path, &made);
      (void)close(fd);
    }
    events_failed(COMMAND_bindAgain, id, step, error);
    return;
  }
  SCOPED_TEXT path = memory_copy_text(name->path, strlen(name->path));
  bool watched = name->watched;
  uint64_t pause = name->pause;
  names_made(id, path);
  name = find(id);
  name->watched = watched;
  name->pause = pause; /* whatever keeps removing the name still causes pauses */
  name->since = clock_now();
}

#define SAVED(FIELD) FIELD(text, spare) FIELD(descriptor, look) FIELD(flag, watched) FIELD(u8, state)

void names_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct name *it = names[i];
    buffer_u64(out, it->handle);
    buffer_text(out, it->path);
    SAVED(SAVE)
  }
}

/* Watches are not saved: all names are checked in the first round. */
bool names_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    uint64_t handle = read_u64(in);
    SCOPED_TEXT path = span_text(read_bytes(in));
    struct name *it = append(handle, path);
    SAVED(LOAD)
    if (it->watched) it->check_at = 1;
  }
  set_deadline();
  return !in->failed;
}
