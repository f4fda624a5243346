/* Files by descriptor. Paths are relative to a directory's descriptor, or to AT_FDCWD. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"

/* Flags of open(2) whose values differ between architectures have their own values here: one image runs on all of them. */
enum {
  SAME_EVERYWHERE = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK,
  NO_FOLLOW = 1 << 24,
  DIRECTORY = 1 << 25,
  PATH_ONLY = 1 << 26,
};

enum { MOST_BEGINNING = 256 };

static int system_flags(int flags) {
  int all = flags & SAME_EVERYWHERE;
  if (flags & NO_FOLLOW) all |= O_NOFOLLOW;
  if (flags & DIRECTORY) all |= O_DIRECTORY;
  if (flags & PATH_ONLY) all |= O_PATH;
  return all | O_CLOEXEC;
}

/* open(directory, path, flags, mode): a close-on-exec descriptor */
static value files_open(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  int flags = take_int(in, 2, 0, INT_MAX);
  mode_t mode = (mode_t)take_int(in, 3, 0, 07777);
  if ((flags & ~(SAME_EVERYWHERE | NO_FOLLOW | DIRECTORY | PATH_ONLY)) != 0) in->error = EINVAL;
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(openat(directory, path, system_flags(flags), mode));
}

static value files_close(struct arguments *in) {
  int fd = take_fd(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(close(fd));
}

/* read(fd, bytes, start, length, position): the number of bytes read; position -1 is the file's current position */
static value files_read(struct arguments *in) {
  int fd = take_fd(in, 0);
  struct bytes bytes = take_part(in, 1);
  s64 position = take_whole(in, 4, -1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(position < 0 ? read(fd, bytes.at, bytes.length) : pread(fd, bytes.at, bytes.length, position));
}

/* beginning(path): the result of one read as text, for short files of /proc */
static value files_beginning(struct arguments *in) {
  char bytes[MOST_BEGINNING];
  const char *path = take_text(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return result_of(-1);
  ssize_t count = read(fd, bytes, sizeof bytes);
  int error = errno;
  (void)close(fd);
  return count < 0 ? value_int(-error) : value_text(bytes, (size_t)count);
}

static value files_write(struct arguments *in) {
  int fd = take_fd(in, 0);
  struct bytes bytes = take_part(in, 1);
  s64 position = take_whole(in, 4, -1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(position < 0 ? write(fd, bytes.at, bytes.length) : pwrite(fd, bytes.at, bytes.length, position));
}

/* [device, inode, mode, links, uid, gid, special device, size, modified ms, changed ms, "DEVICE:INODE"] */
static value status_value(int result, const struct stat *status) {
  if (result < 0) return result_of(-1);
  double numbers[] = {
      (double)status->st_dev,
      (double)status->st_ino,
      (double)status->st_mode,
      (double)status->st_nlink,
      (double)status->st_uid,
      (double)status->st_gid,
      (double)status->st_rdev,
      (double)status->st_size,
      (double)status->st_mtim.tv_sec * 1e3 + (double)(status->st_mtim.tv_nsec / 1000000),
      (double)status->st_ctim.tv_sec * 1e3 + (double)(status->st_ctim.tv_nsec / 1000000),
  };
  enum { COUNT = sizeof numbers / sizeof *numbers };
  value all = value_array();
  for (u32 i = 0; i < COUNT; i++) value_push(all, i, value_number(numbers[i]));
  /* A JavaScript number cannot represent every inode. */
  char identity[48];
  int length = snprintf(identity, sizeof identity, "%ju:%ju", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
  value_push(all, COUNT, value_text(identity, (size_t)length));
  return all;
}

/* status(directory, path, followsLink) */
static value files_status(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  bool follows = take_bool(in, 2);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct stat status;
  return status_value(fstatat(directory, path, &status, follows ? 0 : AT_SYMLINK_NOFOLLOW), &status);
}

static value files_status_of(struct arguments *in) {
  int fd = take_fd(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct stat status;
  return status_value(fstat(fd, &status), &status);
}

/* access(directory, path, mode) */
static value files_access(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  int mode = take_int(in, 2, 0, R_OK | W_OK | X_OK);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(faccessat(directory, path, mode, 0));
}

/* fchmod(2) refuses an O_PATH descriptor (EBADF), but chmod(2) through /proc/self/fd accepts it. */
static value files_change_mode(struct arguments *in) {
  int fd = take_fd(in, 0);
  mode_t mode = (mode_t)take_int(in, 1, 0, 07777);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (fchmod(fd, mode) == 0) return value_int(0);
  if (errno != EBADF) return result_of(-1);
  char path[32];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int result = chmod(path, mode);
  if (result < 0 && errno == ENOENT) errno = EBADF;
  return result_of(result);
}

const struct host_function host_files[] = {
    {"open", 4, files_open},
    {"close", 1, files_close},
    {"read", 5, files_read},
    {"beginning", 1, files_beginning},
    {"write", 5, files_write},
    {"status", 3, files_status},
    {"statusOf", 1, files_status_of},
    {"access", 3, files_access},
    {"changeMode", 2, files_change_mode},
    {0},
};
