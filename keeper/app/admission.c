/* The kernel calls a file system's flush at every close(2) and its release at the last one. On FUSE, NFS and similar systems
 * both wait for a server, which on FUSE can be any user's program. So only sockets, pipes, memory and files of local file
 * systems are admitted. */
#include "app/admission.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "app/descriptors.h"
#include "app/memory.h"

enum { MEMORY_DEVICES = 1 /* null, zero, full, random */, LINE_ROOM = 512 };

/* Local file systems: none of them asks another process. Mounting one where the keeper sees it takes root. */
static const char *const local[] = {"ext2", "ext3",     "ext4",  "xfs",   "btrfs",   "f2fs",
                                    "zfs",  "bcachefs", "tmpfs", "ramfs", "overlay", "devtmpfs"};

static bool is_local(const char *type, size_t length) {
  for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
    if (strlen(local[i]) == length && memcmp(local[i], type, length) == 0) return true;
  }
  return false;
}

static unsigned int number_at(const char **at) {
  unsigned int number = 0;
  while (**at >= '0' && **at <= '9') number = number * 10 + (unsigned int)(*(*at)++ - '0');
  return number;
}

/* proc_pid_mountinfo(5): "36 35 98:0 /root /mount options - ext4 …". Only the beginning of a line and what follows " - "
 * matter. */
static bool is_local_line(const char *line, unsigned int major_number, unsigned int minor_number) {
  const char *at = line;
  for (int i = 0; i < 2 && at; i++) at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL;
  if (!at || number_at(&at) != major_number || *at++ != ':' || number_at(&at) != minor_number) return false;
  const char *type = strstr(at, " - ");
  if (!type) return false;
  type += 3;
  const char *end = strchr(type, ' ');
  return end && is_local(type, (size_t)(end - type));
}

/* Reads line by line without allocating memory. A line that does not fit is ignored. */
static bool is_on_local_mount(unsigned int major_number, unsigned int minor_number) {
  char line[LINE_ROOM];
  char chunk[4096];
  size_t length = 0;
  bool fits = true;
  bool found = false;
  int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  for (ssize_t n; !found && (n = read(fd, chunk, sizeof chunk)) > 0;) {
    for (ssize_t i = 0; i < n && !found; i++) {
      if (chunk[i] != '\n') {
        if (length + 1 < sizeof line) line[length++] = chunk[i];
        else fits = false;
        continue;
      }
      line[length] = '\0';
      found = fits && is_local_line(line, major_number, minor_number);
      length = 0;
      fits = true;
    }
  }
  (void)close(fd);
  return found;
}

bool admission_allows(int fd) {
  struct statx facts;
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) < 0) {
    int type = 0;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0; /* a filter forbids statx(2) */
  }
  mode_t type = facts.stx_mode & S_IFMT;
  if (type == S_IFSOCK || type == S_IFIFO || type == 0 /* eventfd, timerfd and the like */) return true;
  if (type == S_IFCHR) return facts.stx_rdev_major == MEMORY_DEVICES;
  if (type != S_IFREG && type != S_IFDIR) return false;
  /* Memory (memfd_create(2)) is on no visible mount; nothing else has seals. */
  if (type == S_IFREG && fcntl(fd, F_GET_SEALS) >= 0) return true;
  return is_on_local_mount(facts.stx_dev_major, facts.stx_dev_minor);
}

/* True for a socket whose last close waits for its peer (SO_LINGER), and for a file whose last close may wait for a disk. */
static bool may_take_its_time(int fd) {
  struct linger linger = {0};
  socklen_t length = sizeof linger;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0) return linger.l_onoff != 0 && linger.l_linger > 0;
  struct statx facts;
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &facts) < 0) return true;
  return S_ISREG(facts.stx_mode) || S_ISDIR(facts.stx_mode);
}

/* The child holds the descriptor too and exits after the keeper has closed its own, so the last close is the child's exit. A
 * process that exits does not linger (tcp_close). */
static void close_elsewhere(int fd) {
  int ends[2];
  bool is_pipe = pipe2(ends, O_CLOEXEC) == 0;
  pid_t child = is_pipe ? memory_fork() : -1;
  if (child == 0) {
    char byte;
    int kept[] = {fd, ends[0]};
    (void)descriptors_close_but(kept, 2);
    (void)!read(ends[0], &byte, sizeof byte);
    _exit(0);
  }
  (void)close(fd);
  if (!is_pipe) return;
  (void)close(ends[0]);
  (void)close(ends[1]);
}

void admission_close(int fd) {
  if (may_take_its_time(fd)) close_elsewhere(fd);
  else (void)close(fd);
}

void admission_close_unread(int fd) {
  char byte;
  if (recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) > 0) close_elsewhere(fd);
  else (void)close(fd);
}
