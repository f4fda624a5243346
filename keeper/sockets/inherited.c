#include "sockets/inherited.h"

#include <dirent.h>

#include "app/descriptors.h"
#include "app/memory.h"

static uint32_t *inherited;
static uint32_t count;

static int open_standard(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    int opened = descriptors_open_null();
    if (opened < 0) return -1;
    (void)fcntl(opened, F_SETFD, 0);
    if (opened != fd) {
      (void)close(opened);
      errno = EBADF;
      return -1;
    }
  }
  return 0;
}

static void add(uint32_t fd) {
  inherited = memory_grow(inherited, count, sizeof *inherited);
  inherited[count++] = fd;
}

int inherited_collect(void) {
  if (open_standard() < 0) return -1;
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return -1;
  for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
    char *end;
    unsigned long fd = strtoul(entry->d_name, &end, 10);
    if (*end != '\0' || end == entry->d_name || fd > 0x7fffffffUL || (int)fd == dirfd(directory)) continue;
    add((uint32_t)fd);
    if (fd > 2) (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
  }
  (void)closedir(directory);
  return 0;
}

bool inherited_has(uint32_t fd) {
  for (uint32_t i = 0; i < count; i++) {
    if (inherited[i] == fd) return true;
  }
  return false;
}

/* The standard descriptor is replaced with /dev/null, so that its number stays in use (under inetd(8), 0 is the socket). */
static int take_standard(int fd) {
  int taken = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (taken < 0) return -1;
  int null = descriptors_open_null();
  if (null >= 0) {
    (void)dup2(null, fd);
    (void)close(null);
  }
  return taken;
}

int inherited_take(uint32_t fd) {
  for (uint32_t i = 0; i < count; i++) {
    if (inherited[i] != fd) continue;
    int taken = fd <= 2 ? take_standard((int)fd) : (int)fd;
    if (taken >= 0) inherited[i] = inherited[--count];
    return taken;
  }
  errno = EBADF;
  return -1;
}

void inherited_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) save_descriptor(out, (int)inherited[i]);
}

bool inherited_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) add((uint32_t)load_descriptor(in));
  return !in->failed;
}
