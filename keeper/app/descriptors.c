#include "app/descriptors.h"

#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

void save_descriptor(struct buffer *out, int fd) {
  if (fd > 2) (void)fcntl(fd, F_SETFD, 0);
  buffer_u32(out, (uint32_t)fd);
}

int load_descriptor(struct reader *in) {
  int fd = read_i32(in);
  if (fd > 2) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

int descriptors_drop(int fd) {
  int error = errno;
  if (fd >= 0) (void)close(fd);
  errno = error;
  return -1;
}

void descriptors_close_scoped(const int *fd) {
  (void)descriptors_drop(*fd);
}

size_t descriptors_read_text(const char *path, char *text, size_t room) {
  SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  while (fd >= 0 && length < room - 1) {
    ssize_t n = read(fd, text + length, room - 1 - length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += (size_t)n;
  }
  text[length] = '\0';
  return length;
}

int descriptors_open_null(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0 || errno != ENOENT) return null;
  int empty = memfd_create("crank-null", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (empty >= 0) (void)fcntl(empty, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return empty;
}

static bool is_still(int file, const char *path) {
  struct stat open_one, named;
  return fstat(file, &open_one) == 0 && stat(path, &named) == 0 && open_one.st_dev == named.st_dev &&
         open_one.st_ino == named.st_ino;
}

/* Fallback where execveat(2) is missing or a container's filter refuses it: by name while the name still leads to this file, so
 * that /proc shows the name; else through /proc/self/fd. */
int descriptors_execute(int file, const char *path, char *const *args, char *const *environment) {
  (void)execveat(file, "", args, environment, AT_EMPTY_PATH);
  if (errno != ENOSYS && errno != EPERM) return -1;
  if (is_still(file, path)) return execve(path, args, environment);
  char link[32] = "/proc/self/fd/";
  char *end = link + strlen(link);
  int scale = 1;
  while (file / scale >= 10) scale *= 10;
  for (; scale > 0; scale /= 10) *end++ = (char)('0' + file / scale % 10);
  *end = '\0';
  return execve(link, args, environment);
}

/* The kernel's layout (getdents64(2)). */
struct entry {
  uint64_t inode;
  int64_t next;
  uint16_t length;
  uint8_t type;
  char name[];
};

/* The number of an entry of /proc/self/fd; -1 for "." and "..". */
static int number_of(const char *name) {
  int number = 0;
  if (*name < '0' || *name > '9') return -1;
  while (*name >= '0' && *name <= '9') number = number * 10 + (*name++ - '0');
  return number;
}

static void end_one(int fd, bool only_marks) {
  if (only_marks) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  else (void)close(fd);
}

/* One by one, as /proc lists them. Closing during the listing skips none: the list is ordered by number and continues after the
 * last number read. */
static int end_listed(uint32_t from, uint32_t to, bool only_marks) {
  _Alignas(struct entry) char room[2048];
  int list = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list < 0) return -1;
  for (;;) {
    long n = syscall(SYS_getdents64, list, room, sizeof room);
    if (n <= 0) break;
    for (long at = 0; at < n;) {
      const struct entry *entry = (const struct entry *)(const void *)(room + at);
      int fd = number_of(entry->name);
      at += entry->length;
      if (fd < 0 || (uint32_t)fd < from || (uint32_t)fd > to) continue;
      if (fd != list) end_one(fd, only_marks);
    }
  }
  (void)close(list);
  return 0;
}

/* close_range(2) needs Linux 5.9, its flag 5.11; container filters may also refuse it with EPERM. */
static int end_range(uint32_t from, uint32_t to, bool only_marks) {
  if (close_range(from, to, only_marks ? CLOSE_RANGE_CLOEXEC : 0) == 0) return 0;
  return end_listed(from, to, only_marks);
}

int descriptors_close_range(uint32_t from, uint32_t to) {
  return from > to ? 0 : end_range(from, to, false);
}

int descriptors_mark_from(uint32_t from) {
  return end_range(from, ~0U, true);
}

static void sort(int *fds, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    int fd = fds[i];
    uint32_t at = i;
    for (; at > 0 && fds[at - 1] > fd; at--) fds[at] = fds[at - 1];
    fds[at] = fd;
  }
}

int descriptors_close_but(int *kept, uint32_t count) {
  uint32_t from = 3;
  sort(kept, count);
  for (uint32_t i = 0; i < count; i++) {
    if (kept[i] < (int)from) continue;
    if (descriptors_close_range(from, (uint32_t)kept[i] - 1) < 0) return -1;
    from = (uint32_t)kept[i] + 1;
  }
  return descriptors_close_range(from, ~0U);
}
