#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"

static int held = -1;

static bool is_held(int fd) {
  struct stat wanted;
  struct stat ours;
  return held >= 0 && fstat(fd, &wanted) == 0 && fstat(held, &ours) == 0 && wanted.st_dev == ours.st_dev &&
         wanted.st_ino == ours.st_ino;
}

static int write_pid(int fd) {
  char line[16];
  int length = snprintf(line, sizeof line, "%d\n", (int)getpid());
  if (ftruncate(fd, 0) < 0) return -1;
  return pwrite(fd, line, (size_t)length, 0) == length ? 0 : -1;
}

int lock_take(const char *path, const char **step) {
  *step = "open";
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return -1;
  if (is_held(fd)) {
    (void)close(fd);
    return 0;
  }
  *step = "lock";
  int result = flock(fd, LOCK_EX | LOCK_NB);
  if (result == 0) {
    *step = "write";
    result = write_pid(fd);
  }
  if (result < 0) {
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
  }
  if (held >= 0) (void)close(held);
  held = fd;
  return 0;
}

void lock_save(struct buffer *out) {
  save_descriptor(out, held);
}

bool lock_load(struct reader *in) {
  held = load_descriptor(in);
  return !in->failed;
}
