/* Directory entries: listing, creating, renaming, removing, and resolving links. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"

/* More than the number of names in any directory that is read here: /proc, a run directory. */
enum { MOST_NAMES = 1 << 20 };

/* list(directory, path): the names, without "." and ".." */
static value directories_list(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return result_of(-1);
  DIR *stream = fdopendir(fd);
  if (stream == NULL) {
    int error = errno;
    (void)close(fd);
    errno = error;
    return result_of(-1);
  }
  value names = value_array();
  u32 count = 0;
  errno = 0;
  for (struct dirent *entry = readdir(stream); entry != NULL && count < MOST_NAMES; entry = readdir(stream)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    value_push(names, count++, value_text(entry->d_name, strlen(entry->d_name)));
    errno = 0;
  }
  int error = errno;
  (void)closedir(stream);
  if (error == 0) return names;
  value_free(names);
  return value_int(-error);
}

static value directories_make(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  mode_t mode = (mode_t)take_int(in, 2, 0, 07777);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(mkdirat(directory, path, mode));
}

/* remove(directory, path): does not remove directories */
static value directories_remove(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(unlinkat(directory, path, 0));
}

/* rename(directory, path, newDirectory, newPath) */
static value directories_rename(struct arguments *in) {
  int from = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  int to = take_int(in, 2, AT_FDCWD, INT_MAX);
  const char *new_path = take_text(in, 3);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(renameat(from, path, to, new_path));
}

static value directories_read_link(struct arguments *in) {
  int directory = take_int(in, 0, AT_FDCWD, INT_MAX);
  const char *path = take_text(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  char target[PATH_MAX];
  ssize_t length = readlinkat(directory, path, target, sizeof target);
  return length < 0 ? result_of(-1) : value_text(target, (size_t)length);
}

static value directories_real_path(struct arguments *in) {
  const char *path = take_text(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  char target[PATH_MAX];
  return realpath(path, target) == NULL ? result_of(-1) : value_text(target, strlen(target));
}

static value directories_working(struct arguments *in) {
  (void)in;
  char path[PATH_MAX];
  return getcwd(path, sizeof path) == NULL ? result_of(-1) : value_text(path, strlen(path));
}

const struct host_function host_directories[] = {
    {"list", 2, directories_list},
    {"makeDirectory", 3, directories_make},
    {"remove", 2, directories_remove},
    {"rename", 4, directories_rename},
    {"readLink", 2, directories_read_link},
    {"realPath", 1, directories_real_path},
    {"workingDirectory", 0, directories_working},
    {0},
};
