/* A bound socket cannot be bound again, but link(2) can give its file another name as long as it has one. So a watched file has
 * a spare name in another place, from which its own name is restored. It is still the same socket with its queue, so workers
 * need not notice. A new socket must be bound only when both names are gone. */
#include "sockets/names.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/files.h"
#include "app/memory.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"
#include "sockets/handles.h"
#include "sockets/name.h"
#include "sockets/name_watch.h"

static struct name **names;
static uint32_t count;

static struct name *find(uint64_t handle) {
  for (uint32_t i = 0; i < count; i++) {
    if (names[i]->handle == handle) return names[i];
  }
  return NULL;
}

struct file_identity names_identity(const struct name *name) {
  struct stat status;
  if (name->look < 0 || fstat(name->look, &status) < 0) return (struct file_identity){0};
  return (struct file_identity){.device = status.st_dev, .inode = status.st_ino};
}

int names_look_at(uint64_t handle, const char *path) {
  struct file_identity file = files_of_socket(handles_fd(handle), path);
  struct file_identity found;
  int look = file.inode != 0 ? files_look(path, &found, NULL) : -1;
  if (look >= 0 && !files_is_same(&file, &found)) {
    (void)close(look);
    return -1;
  }
  return look;
}

uint32_t names_count(void) {
  return count;
}

struct name *names_at(uint32_t index) {
  return names[index];
}

static void remove_spare(struct name *name) {
  struct file_identity file = names_identity(name);
  if (name->spare && file.inode != 0) files_remove_socket(name->spare, &file);
  free(name->spare);
  name->spare = NULL;
}

static void drop(struct name *name) {
  name_watch_end(name);
  remove_spare(name);
  if (name->look >= 0) (void)close(name->look);
  free(name->path);
  for (uint32_t i = 0; i < count; i++) {
    if (names[i] == name) names[i] = names[--count];
  }
  free(name);
  name_watch_set_deadline();
}

static struct name *append(uint64_t handle, const char *path) {
  names = memory_grow(names, count, sizeof *names);
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
  name->look = names_look_at(handle, path);
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
  name->look = names_look_at(handle, name->path);
  return name;
}

void names_watch(struct reader *fields) {
  struct command_watchName command = read_watchName(fields);
  SCOPED_TEXT spare = span_text(command.spare);
  struct name *name = known(command.handle);
  if (name && name->look < 0 && !name->spare && spare[0] != '\0') name->spare = memory_copy_text(spare, strlen(spare));
  if (name && name->look >= 0) {
    name_watch_end(name);
    name_watch_make_spare(name, spare);
  }
  if (name) {
    name->watched = true;
    name_watch_attend(name, false);
  }
}

/* Whether the path leads to the socket's file, which has this owner. */
static bool is_owned_by(const struct name *name, uint32_t uid, uint32_t gid) {
  struct file_identity file = names_identity(name);
  struct stat status;
  if (file.inode == 0 || lstat(name->path, &status) < 0) return false;
  if (status.st_dev != file.device || status.st_ino != file.inode) return false;
  return (uid == UNCHANGED || status.st_uid == uid) && (gid == UNCHANGED || status.st_gid == gid);
}

void names_give(struct reader *fields) {
  struct command_giveName command = read_giveName(fields);
  struct name *name = known(command.handle);
  if (name && is_owned_by(name, command.uid, command.gid)) return; /* usually: this comes before each start */
  struct file_identity file = name ? names_identity(name) : (struct file_identity){0};
  bool is_watched = name && name_watch_suspend(name);
  if (!name) errno = EBADF;
  if (!name || files_give(name->path, &file, command.uid, command.gid) < 0)
    events_failed(COMMAND_giveName, command.handle, "chown", errno);
  if (is_watched) name_watch_resume(name);
}

void names_remove(struct reader *fields) {
  struct name *name = known(read_removeName(fields).handle);
  if (!name) return;
  struct file_identity file = names_identity(name);
  name_watch_end(name);
  if (file.inode != 0) files_remove_socket(name->path, &file);
  drop(name);
}

/* Opens a new socket of the same kind at the same path. */
static int open_again(const struct name *name, const struct handle *handle, struct file_identity *made, const char **step) {
  struct stat status;
  struct sockaddr_un address;
  struct socket_file file = {.path = name->path, .mode = UNCHANGED, .uid = UNCHANGED, .gid = UNCHANGED};
  if (name->look >= 0 && fstat(name->look, &status) == 0)
    file = (struct socket_file){.path = name->path, .mode = status.st_mode & 0777, .uid = status.st_uid, .gid = status.st_gid};
  if (file.uid == geteuid()) file.uid = UNCHANGED;
  if (file.gid == getegid()) file.gid = UNCHANGED;
  *step = "bind";
  socklen_t length = files_address(&address, name->path);
  if (length == 0) return -1;
  *step = "socket";
  int fd = socket(AF_UNIX, (int)handle->type | SOCK_CLOEXEC | (handles_is_non_blocking(handle->fd) ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) return -1;
  /* A socket that was shut down still has its name. */
  struct file_identity old = names_identity(name);
  if (name_watch_leads_to_it(name, name->path)) files_remove_socket(name->path, &old);
  bool ready = files_bind(fd, (struct sockaddr *)&address, length, &file, made, step) == 0;
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
  name_watch_set_deadline();
  return !in->failed;
}
