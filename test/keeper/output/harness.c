/* Drives keeper/output/ from outside. Commands come on standard input, one a line with fields between tabs; replies
 * go to descriptor 3, so that standard output and standard error carry only the sinks. Also measures (`pass`, `cat`) and
 * is a log socket (`receive`). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/memory.h"
#include "output/output.h"

enum { REPLIES = 3, PIPE_SIZE = 1024 * 1024, MOST_FIELDS = 8, LINE_BYTES = 100 };

static char taken[512 * 1024];

static void fail(const char *what) {
  perror(what);
  _exit(70);
}

static void need(int result, const char *what) {
  if (result < 0) fail(what);
}

static uint64_t number(const char *text) {
  return text ? strtoull(text, NULL, 10) : 0;
}

static void reply_bytes(const char *what, uint64_t id, uint64_t extra, const char *bytes, size_t length) {
  (void)dprintf(REPLIES, "%s\t%" PRIu64 "\t%" PRIu64 "\t", what, id, extra);
  char hex[8192];
  for (size_t at = 0; at < length;) {
    size_t used = 0;
    for (; at < length && used + 2 < sizeof hex; at++) {
      used += (size_t)snprintf(hex + used, 3, "%02x", (unsigned char)bytes[at]);
    }
    for (size_t sent = 0; sent < used;) {
      ssize_t n = write(REPLIES, hex + sent, used - sent);
      if (n < 0 && errno == EINTR) continue;
      need((int)n, "reply");
      sent += (size_t)n;
    }
  }
  (void)dprintf(REPLIES, "\n");
}

static void make_pipe(int ends[2]) {
  need(pipe2(ends, O_CLOEXEC), "pipe");
  (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
}

static pid_t run(const char *command, int output) {
  pid_t pid = fork();
  need(pid, "fork");
  if (pid > 0) return pid;
  if (dup2(output, 1) < 0 || dup2(output, 2) < 0) _exit(71);
  (void)close(REPLIES);
  (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(72);
}

/* add WORKER KEEP PREFIX JSON COMMAND */
static void add(char **field) {
  int ends[2];
  make_pipe(ends);
  pid_t pid = run(field[5], ends[1]);
  (void)close(ends[1]);
  need(output_add(number(field[1]), (uint32_t)pid, ends[0], field[3], field[4], (int)number(field[2])), "add");
  (void)dprintf(REPLIES, "added\t%s\t%d\n", field[1], (int)pid);
}

static void wait_for_event(void) {
  struct pollfd event = {.fd = output_eventfd(), .events = POLLIN};
  while (poll(&event, 1, -1) < 0) {
    if (errno != EINTR) fail("poll");
  }
}

/* drain WORKER: what the keeper does when a process has exited. */
static void drain(uint64_t worker) {
  uint64_t drained = 0;
  output_drain(worker);
  while (drained != worker) {
    wait_for_event();
    while (output_next_drained(&drained) && drained != worker) continue;
  }
  size_t length = output_tail(worker, taken, 8192);
  reply_bytes("drained", worker, 0, taken, length);
}

/* format FORMAT SINK PATH HEADER */
static void format(char **field) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", field[3]);
  struct span bytes = {(const uint8_t *)&address, sizeof address};
  need(output_format((int)number(field[1]), (int)number(field[2]), bytes, field[4]), "format");
  (void)dprintf(REPLIES, "formatted\n");
}

static void ready(void) {
  uint64_t follower = 0;
  while (!output_next_ready(&follower)) wait_for_event();
  (void)dprintf(REPLIES, "ready\t%" PRIu64 "\n", follower);
}

static void take(uint64_t follower, uint64_t cap) {
  uint64_t dropped = 0;
  size_t length = output_take(follower, taken, cap < sizeof taken ? (size_t)cap : sizeof taken, &dropped);
  reply_bytes("taken", follower, dropped, taken, length);
}

/* Re-executes itself: unread standard input is kept, because it is read byte by byte. */
static void execute(const char *self) {
  int fd = memfd_create("state", 0);
  need(fd, "memfd_create");
  output_stop();
  need(output_save(fd), "save");
  need((int)lseek(fd, 0, SEEK_SET), "lseek");
  char text[16];
  (void)snprintf(text, sizeof text, "%d", fd);
  (void)execl(self, self, "restore", text, (char *)NULL);
  fail("exec");
}

static bool read_line(char *line, size_t cap) {
  for (size_t length = 0; length + 1 < cap;) {
    ssize_t n = read(0, line + length, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    if (line[length] == '\n') {
      line[length] = '\0';
      return true;
    }
    length++;
  }
  return false;
}

static void obey(char **field, const char *self) {
  const char *command = field[0];
  uint64_t id = number(field[1]);
  if (strcmp(command, "add") == 0) add(field);
  else if (strcmp(command, "pid") == 0) output_pid(id, (uint32_t)number(field[2]));
  else if (strcmp(command, "drain") == 0) drain(id);
  else if (strcmp(command, "remove") == 0) output_remove(id);
  else if (strcmp(command, "log") == 0) (void)output_log((int)id, field[2], strlen(field[2]));
  else if (strcmp(command, "format") == 0) format(field);
  else if (strcmp(command, "follow") == 0) {
    need(output_follow(id, number(field[2]), (uint32_t)number(field[3]), (int)number(field[4])), "follow");
  } else if (strcmp(command, "unfollow") == 0) output_unfollow(id);
  else if (strcmp(command, "ready") == 0) ready();
  else if (strcmp(command, "take") == 0) take(id, number(field[2]));
  else if (strcmp(command, "flush") == 0) (void)dprintf(REPLIES, "flushed\t%d\n", output_flush((int)id));
  else if (strcmp(command, "wait") == 0) (void)dprintf(REPLIES, "gone\t%d\n", (int)waitpid((pid_t)id, NULL, 0));
  else if (strcmp(command, "execute") == 0) execute(self);
  else if (strcmp(command, "resume") == 0) {
    output_stop();
    need(output_start(), "resume");
  } else fail(command);
}

static void serve(const char *self) {
  static char line[64 * 1024];
  while (read_line(line, sizeof line)) {
    char *field[MOST_FIELDS] = {NULL}, *rest = line;
    for (int i = 0; i < MOST_FIELDS && rest; i++) field[i] = strsep(&rest, "\t");
    obey(field, self);
  }
}

static double seconds(void) {
  struct timespec time = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A worker that writes lines of 100 bytes, a little more than 64 KiB per write. */
static pid_t start_writer(int output, uint64_t bytes) {
  pid_t pid = fork();
  need(pid, "fork");
  if (pid > 0) return pid;
  static char lines[660 * LINE_BYTES];
  for (size_t i = 0; i < sizeof lines; i++) lines[i] = i % LINE_BYTES == LINE_BYTES - 1 ? '\n' : (char)('a' + i % 26);
  while (bytes > 0) {
    ssize_t n = write(output, lines, bytes < sizeof lines ? (size_t)bytes : sizeof lines);
    if (n < 0) _exit(1);
    bytes -= (uint64_t)n;
  }
  _exit(0);
}

/* In KiB. Not from getrusage(2), which includes the program that executed this one. */
static uint64_t peak_memory(void) {
  static char status[4096];
  int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  need(fd, "/proc/self/status");
  need((int)read(fd, status, sizeof status - 1), "/proc/self/status");
  (void)close(fd);
  const char *line = strstr(status, "VmHWM:");
  return number(line ? line + 6 : NULL);
}

/* pass BYTES PREFIX JSON FORMAT: prints the seconds that it takes to pass them on, and the peak memory in KiB. */
static void measure_pass(uint64_t bytes, const char *prefix, const char *json, int format_number) {
  int ends[2];
  make_pipe(ends);
  need(output_format(format_number, 0, (struct span){0}, ""), "format");
  double start = seconds();
  pid_t writer = start_writer(ends[1], bytes);
  (void)close(ends[1]);
  need(output_add(1, (uint32_t)writer, ends[0], prefix, json, 1), "add");
  while (waitpid(writer, NULL, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  uint64_t drained;
  output_drain(1);
  do wait_for_event();
  while (!output_next_drained(&drained));
  (void)output_flush(10000);
  double took = seconds() - start;
  (void)dprintf(REPLIES, "%.6f\t%" PRIu64 "\n", took, peak_memory());
}

/* cat BYTES: the same with cat. */
static void measure_cat(uint64_t bytes) {
  int ends[2];
  make_pipe(ends);
  double start = seconds();
  pid_t writer = start_writer(ends[1], bytes);
  (void)close(ends[1]);
  pid_t cat = fork();
  need(cat, "fork");
  if (cat == 0) {
    if (dup2(ends[0], 0) < 0) _exit(71);
    (void)execlp("cat", "cat", (char *)NULL);
    _exit(72);
  }
  (void)close(ends[0]);
  while (waitpid(cat, NULL, 0) < 0) {
    if (errno != EINTR) fail("waitpid");
  }
  (void)waitpid(writer, NULL, 0);
  (void)dprintf(REPLIES, "%.6f\n", seconds() - start);
}

/* receive PATH COUNT: a log socket; its datagrams go to descriptor 3 in hexadecimal. */
static void receive(const char *path, uint64_t count) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  need(fd, "socket");
  need(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
  (void)dprintf(REPLIES, "bound\n");
  for (uint64_t i = 0; i < count; i++) {
    ssize_t n = recv(fd, taken, sizeof taken, 0);
    need((int)n, "recv");
    reply_bytes("datagram", i, 0, taken, (size_t)n);
  }
}

int main(int count, char **words) {
  memory_setup();
  (void)fcntl(REPLIES, F_SETFD, FD_CLOEXEC);
  need(output_start(), "start");
  if (count == 6 && strcmp(words[1], "pass") == 0) {
    measure_pass(number(words[2]), words[3], words[4], (int)number(words[5]));
  } else if (count == 3 && strcmp(words[1], "cat") == 0) {
    measure_cat(number(words[2]));
  } else if (count == 4 && strcmp(words[1], "receive") == 0) {
    receive(words[2], number(words[3]));
  } else {
    if (count == 3 && strcmp(words[1], "restore") == 0) need(output_restore((int)number(words[2])), "restore");
    // Descriptor 3 must stay open through a re-exec.
    (void)fcntl(REPLIES, F_SETFD, 0);
    serve(words[0]);
    (void)output_flush(10000);
  }
  return 0;
}
