#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol.h"

/* A field of /proc/PID/stat behind the name; 0 if there is no such process. */
static uint64_t number_in_stat(uint32_t pid, int number) {
  char path[32];
  char text[1024];
  (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  (void)close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  /* The second field is the name in parentheses, which may hold anything: count from the last one. */
  char *at = strrchr(text, ')');
  for (int field = 2; at && field < number; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t processes_start_time(uint32_t pid) {
  return number_in_stat(pid, 22);
}

uint32_t processes_parent(uint32_t pid) {
  return (uint32_t)number_in_stat(pid, 4);
}

/* Whether the four numbers behind a name, in the text of /proc/PID/status, are this one. */
static bool are_all(const char *text, const char *name, uint32_t wanted) {
  const char *at = strstr(text, name);
  if (wanted == UNCHANGED) return true;
  if (!at) return false;
  at += strlen(name);
  for (int i = 0; i < 4; i++) {
    char *end;
    if (strtoull(at, &end, 10) != wanted || end == at) return false;
    at = end;
  }
  return true;
}

bool processes_has_ids(uint32_t pid, uint32_t uid, uint32_t gid) {
  char path[32];
  char text[2048]; /* the ids are at the beginning; what is before them cannot be longer */
  if (uid == UNCHANGED && gid == UNCHANGED) return true;
  (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof text - 1);
  (void)close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  return are_all(text, "\nUid:", uid) && are_all(text, "\nGid:", gid);
}

int processes_open(uint32_t pid, uint64_t start_time) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return -1;
  /* Looked at after it is held: if it is the right one now, it was the right one then. */
  if (processes_start_time(pid) == start_time) return fd;
  (void)close(fd);
  errno = ESRCH;
  return -1;
}
