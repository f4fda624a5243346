#include "app/files.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "app/descriptors.h"
#include "app/socket_tables.h"
#include "protocol/protocol.h"

enum { LOOK = O_PATH | O_NOFOLLOW | O_CLOEXEC, OTHERS_WRITE = 022, OWNER_ONLY = 0600, OVERLAY_MAGIC = 0x794c7630 };

/* Opens the parent directory of a path. Follows links, which are the administrator's choice. `name`: the last part. -1 with
 * errno. */
static int open_parent(const char *path, const char **name) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length >= sizeof directory || strlen(*name) >= FILE_NAME_BYTES) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(directory, path, length);
  directory[length] = '\0';
  if (length == 0) memcpy(directory, slash ? "/" : ".", 2);
  return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

socklen_t files_address(struct sockaddr_un *address, const char *path) {
  size_t length = strlen(path);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (length >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return 0;
  }
  memcpy(address->sun_path, path, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

static bool is_ours(const struct stat *status) {
  return status->st_uid == 0 || status->st_uid == geteuid();
}

/* A path that opens the descriptor's file again, whatever its name is now. */
static void held_path(char *path, size_t room, int fd) {
  (void)snprintf(path, room, "/proc/self/fd/%d", fd);
}

/* Why a plain file must not be used as crank's own; NULL if it may be. */
static const char *refusal(const struct stat *status) {
  if (!S_ISREG(status->st_mode)) return "type";
  if (!is_ours(status)) return "owner";
  if ((status->st_mode & OTHERS_WRITE) != 0) return "mode";
  return status->st_nlink > 1 ? "links" : NULL; /* another name leads to the same file, which may have another purpose */
}

static int open_existing(int directory, const char *name, const char **step) {
  SCOPED_FD look = openat(directory, name, LOOK);
  struct stat status;
  if (look < 0) {
    if (errno == ENOENT) errno = ESTALE;
    return -1;
  }
  if (fstat(look, &status) < 0) return -1;
  const char *refused = refusal(&status);
  if (refused) {
    *step = refused;
    errno = EPERM;
    return -1;
  }
  char path[32];
  held_path(path, sizeof path, look);
  return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

int files_open_own(const char *path, const char **step) {
  const char *name;
  *step = "open";
  SCOPED_FD directory = open_parent(path, &name);
  if (directory < 0) return -1;
  int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OWNER_ONLY);
  if (fd < 0 && errno == EEXIST) fd = open_existing(directory, name, step);
  return fd;
}

static bool names_file(int directory, const char *name, const struct stat *file) {
  struct stat named;
  if (fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return named.st_dev == file->st_dev && named.st_ino == file->st_ino;
}

bool files_leads_to(const char *path, int fd) {
  const char *name;
  struct stat file;
  int directory = fstat(fd, &file) < 0 ? -1 : open_parent(path, &name);
  bool leads = directory >= 0 && names_file(directory, name, &file);
  if (directory >= 0) (void)close(directory);
  return leads;
}

void files_remove_if(const char *path, int fd) {
  const char *name;
  struct stat file;
  SCOPED_FD directory = fstat(fd, &file) < 0 ? -1 : open_parent(path, &name);
  if (directory < 0) return;
  if (names_file(directory, name, &file)) (void)unlinkat(directory, name, 0);
}

bool files_remove_own(const char *path) {
  const char *name;
  struct stat status;
  SCOPED_FD directory = open_parent(path, &name);
  if (directory < 0) return errno == ENOENT;
  bool is_gone = false;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) is_gone = errno == ENOENT;
  else if (S_ISREG(status.st_mode) && is_ours(&status)) is_gone = unlinkat(directory, name, 0) == 0;
  return is_gone;
}

/* Whether no other user can replace crank's files in a directory. In a sticky directory others can only add names. */
static bool is_safe(int directory) {
  struct stat status;
  if (fstat(directory, &status) < 0 || !is_ours(&status)) return false;
  return (status.st_mode & OTHERS_WRITE) == 0 || (status.st_mode & S_ISVTX) != 0;
}

int files_begin_replacement(struct replacement *replacement, const char *path, const char **step) {
  const char *name;
  uint64_t number = 0;
  *step = "open";
  *replacement = (struct replacement){.directory = -1, .fd = -1};
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return -1;
  int directory = open_parent(path, &name);
  if (directory < 0) return -1;
  if (!is_safe(directory)) {
    *step = "directory";
    errno = EPERM;
    return descriptors_drop(directory);
  }
  (void)snprintf(replacement->name, sizeof replacement->name, "%s", name);
  int length = snprintf(replacement->temporary, sizeof replacement->temporary, ".%s.%016" PRIx64 ".new", name, number);
  if (length < 0 || (size_t)length >= sizeof replacement->temporary) {
    errno = ENAMETOOLONG;
    return descriptors_drop(directory);
  }
  int fd = openat(directory, replacement->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, OWNER_ONLY);
  if (fd < 0) return descriptors_drop(directory);
  replacement->directory = directory;
  replacement->fd = fd;
  return 0;
}

int files_finish_replacement(struct replacement *replacement) {
  int result = renameat(replacement->directory, replacement->temporary, replacement->directory, replacement->name);
  int error = errno;
  if (result < 0) (void)unlinkat(replacement->directory, replacement->temporary, 0);
  (void)close(replacement->directory);
  replacement->directory = -1;
  errno = error;
  return result;
}

void files_drop_replacement(struct replacement *replacement) {
  int error = errno;
  if (replacement->directory >= 0) {
    (void)unlinkat(replacement->directory, replacement->temporary, 0);
    (void)close(replacement->directory);
  }
  replacement->directory = -1;
  errno = error;
}

bool files_is_same(const struct file_identity *one, const struct file_identity *other) {
  return one->inode != 0 && one->inode == other->inode && one->device == other->device;
}

static struct file_identity identity_of(const struct stat *status) {
  return (struct file_identity){.device = status->st_dev, .inode = status->st_ino};
}

/* Whether the socket is bound to this file, according to the kernel (sock_diag(7)). True if the kernel cannot tell: unix_diag
 * is missing, or the file system shows other inode numbers than the kernel has (overlayfs). */
static bool may_be_its_file(int fd, int look, const struct stat *file) {
  struct stat socket_status;
  struct unix_diag_vfs vfs = {0};
  struct statfs system;
  if (!S_ISSOCK(file->st_mode) || fstat(fd, &socket_status) < 0) return false;
  uint32_t inode = (uint32_t)socket_status.st_ino;
  if (socket_tables_unix(inode, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, &vfs, sizeof vfs) < 0) return errno != ENODATA;
  if (vfs.udiag_vfs_ino == (uint32_t)file->st_ino) return true;
  return fstatfs(look, &system) == 0 && (unsigned long)system.f_type == (unsigned long)OVERLAY_MAGIC;
}

static int look_in(int directory, const char *name, struct stat *status) {
  int look = openat(directory, name, LOOK);
  if (look >= 0 && fstat(look, status) < 0) return descriptors_drop(look);
  return look;
}

/* Identifies and chowns the file that bind(2) made. -1 with errno and the step; ESTALE: another process has replaced the file,
 * so it is not ours to change. */
static int settle_file(int fd, int directory, const char *name, const struct socket_file *file, struct file_identity *made,
                       const char **step) {
  struct stat status;
  *step = "file";
  SCOPED_FD look = look_in(directory, name, &status);
  if (look < 0) return -1;
  if (!may_be_its_file(fd, look, &status) || status.st_uid != geteuid()) {
    errno = ESTALE;
    return -1;
  }
  *made = identity_of(&status);
  *step = "chown";
  bool is_given = file->uid != UNCHANGED || file->gid != UNCHANGED;
  int result = is_given ? fchownat(look, "", file->uid, file->gid, AT_EMPTY_PATH) : 0;
  int error = errno;
  struct stat now;
  if (result < 0 && fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == status.st_ino)
    (void)unlinkat(directory, name, 0);
  errno = error;
  return result;
}

/* bind(2) gives the file the socket's own mode, less the umask. So the file never has a wider mode, not even briefly. */
static int bind_with_mode(int fd, const struct sockaddr *address, socklen_t length, uint32_t mode) {
  if (mode != UNCHANGED && fchmod(fd, mode & 0777) < 0) return -1;
  mode_t before = mode != UNCHANGED ? umask(0) : 0;
  int result = bind(fd, address, length);
  int error = errno;
  if (mode != UNCHANGED) (void)umask(before);
  errno = error;
  return result;
}

/* There is no bindat(2), and other processes see the name that a socket is bound to (getsockname(2)). So the full path is
 * bound, and the file found in the directory afterwards decides. */
int files_bind(int fd, const struct sockaddr *address, socklen_t length, const struct socket_file *file,
               struct file_identity *made, const char **step) {
  const char *name;
  *made = (struct file_identity){0};
  *step = "bind";
  if (!file->path) return bind_with_mode(fd, address, length, file->mode);
  SCOPED_FD directory = open_parent(file->path, &name);
  if (directory < 0) return -1;
  if (bind_with_mode(fd, address, length, file->mode) < 0) return -1;
  return settle_file(fd, directory, name, file, made, step);
}

int files_look(const char *path, struct file_identity *found, mode_t *mode) {
  const char *name;
  struct stat status;
  SCOPED_FD directory = open_parent(path, &name);
  if (directory < 0) return -1;
  int look = look_in(directory, name, &status);
  if (look >= 0 && found) *found = identity_of(&status);
  if (look >= 0 && mode) *mode = status.st_mode;
  return look;
}

struct file_identity files_of_socket(int fd, const char *path) {
  const char *name;
  struct stat status;
  struct file_identity found = {0};
  SCOPED_FD directory = open_parent(path, &name);
  if (directory < 0) return found;
  SCOPED_FD look = look_in(directory, name, &status);
  if (look >= 0 && may_be_its_file(fd, look, &status)) found = identity_of(&status);
  return found;
}

int files_give(const char *path, const struct file_identity *expected, uint32_t uid, uint32_t gid) {
  struct file_identity found;
  SCOPED_FD look = files_look(path, &found, NULL);
  if (look < 0) return -1;
  if (files_is_same(&found, expected)) return fchownat(look, "", uid, gid, AT_EMPTY_PATH);
  errno = ESTALE;
  return -1;
}

int files_link(int look, const char *path) {
  const char *name;
  char held[32];
  SCOPED_FD directory = open_parent(path, &name);
  if (directory < 0) return -1;
  held_path(held, sizeof held, look);
  return linkat(AT_FDCWD, held, directory, name, AT_SYMLINK_FOLLOW);
}

void files_remove_socket(const char *path, const struct file_identity *expected) {
  const char *name;
  struct stat status;
  int directory = open_parent(path, &name);
  if (directory < 0) return;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode)) {
    struct file_identity found = identity_of(&status);
    if (!expected || files_is_same(&found, expected)) (void)unlinkat(directory, name, 0);
  }
  (void)close(directory);
}
