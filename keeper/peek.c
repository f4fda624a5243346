#include "peek.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "descriptors.h"

enum { PATIENCE_MS = 100, MOST_REMEMBERED = 64 };

/* Those that kept a reader waiting; the oldest gives way. */
static struct {
  uint32_t pid;
  uint64_t start_time;
} opaque[MOST_REMEMBERED];
static uint32_t next_opaque;

/* In the child: nothing but async-signal-safe calls. */
_Noreturn static void copy(const char *path, int out) {
  char chunk[4096];
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  descriptors_close_but(out, out);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  for (ssize_t n; fd >= 0 && (n = read(fd, chunk, sizeof chunk)) > 0;) {
    if (write(out, chunk, (size_t)n) < 0) break;
  }
  _exit(0);
}

/* Until its end; -1 if that takes too long. */
static int collect(int in, char *bytes, size_t room, size_t *length) {
  uint64_t until = clock_now() + PATIENCE_MS;
  while (*length < room) {
    uint64_t now = clock_now();
    struct pollfd waited = {.fd = in, .events = POLLIN};
    int ready = now < until ? poll(&waited, 1, (int)(until - now)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return -1;
    ssize_t n = read(in, bytes + *length, room - *length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    *length += (size_t)n;
  }
  return 0;
}

size_t peek_read(uint32_t pid, uint64_t start_time, const char *name, char *bytes, size_t room) {
  char path[64];
  int ends[2];
  size_t length = 0;
  for (uint32_t i = 0; i < MOST_REMEMBERED; i++) {
    if (opaque[i].pid == pid && opaque[i].start_time == start_time) return 0;
  }
  (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
  if (pipe2(ends, O_CLOEXEC) < 0) return 0;
  pid_t child = fork();
  if (child == 0) copy(path, ends[1]);
  (void)close(ends[1]);
  if (child > 0 && collect(ends[0], bytes, room, &length) < 0) {
    opaque[next_opaque].pid = pid;
    opaque[next_opaque].start_time = start_time;
    next_opaque = (next_opaque + 1) % MOST_REMEMBERED;
    length = 0;
  }
  (void)close(ends[0]);
  if (child > 0) (void)kill(child, SIGKILL); /* collected as a child that nothing knows */
  return length;
}
