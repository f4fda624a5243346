#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "facts.h"
#include "protocol.h"

static void add_list(struct buffer *out, const struct list *list) {
  buffer_u32(out, list->count);
  buffer_add(out, list->data, list->length);
}

static void encode(struct buffer *out, const struct launch *launch, int report) {
  buffer_u32(out, (uint32_t)report);
  buffer_u32(out, (uint32_t)launch->program);
  buffer_text(out, launch->file);
  add_list(out, &launch->args);
  buffer_text(out, launch->cwd);
  buffer_add(out, launch->environment->data, launch->environment->length);
  add_list(out, &launch->own_pid);
  buffer_u32(out, launch->placement_count);
  for (uint32_t i = 0; i < launch->placement_count; i++) {
    buffer_u32(out, (uint32_t)launch->placements[i].source);
    buffer_u32(out, launch->placements[i].target);
  }
  add_list(out, &launch->identity);
  add_list(out, &launch->limits);
  buffer_u64(out, facts->files.rlim_cur);
  buffer_u64(out, facts->files.rlim_max);
  buffer_u32(out, launch->umask);
  buffer_u32(out, (uint32_t)(launch->sets_nice ? launch->nice : launch->nice + facts->urgency));
  buffer_u8(out, launch->sets_nice ? 1 : 0);
  buffer_u8(out, launch->no_new_privs ? 1 : 0);
  buffer_u32(out, (uint32_t)(launch->oom_score == INHERITED_OOM_SCORE ? facts->oom_score : launch->oom_score));
  buffer_u32(out, launch->death_signal);
  buffer_u32(out, facts->pid);
  buffer_u32(out, launch->connect_fd);
  buffer_text(out, launch->connect_path ? launch->connect_path : "");
}

static int make_payload(const struct launch *launch, int report) {
  int fd = memfd_create("crank-launch", MFD_CLOEXEC);
  if (fd < 0) return -1;
  struct buffer bytes = {0};
  encode(&bytes, launch, report);
  int result = buffer_write(&bytes, fd);
  int error = errno;
  buffer_free(&bytes);
  if (result == 0) return fd;
  (void)close(fd);
  errno = error;
  return -1;
}

/* In the child: only async-signal-safe calls, for there are threads. */
_Noreturn static void become_shim(const struct launch *launch, int payload, int report, char *number) {
  char *const args[] = {(char[]){SHIM_NAME}, number, NULL};
  char *const environment[] = {NULL};
  if (launch->cgroup > 0) (void)!write(launch->cgroup, "0", 1);
  if (launch->own_session) (void)setsid();
  else if (launch->own_group) (void)setpgid(0, 0);
  (void)fcntl(payload, F_SETFD, 0);
  (void)fcntl(report, F_SETFD, 0);
  if (launch->program >= 0) (void)fcntl(launch->program, F_SETFD, 0);
  for (uint32_t i = 0; i < launch->placement_count; i++) (void)fcntl(launch->placements[i].source, F_SETFD, 0);
  (void)execveat(facts->self, "", args, environment, AT_EMPTY_PATH);
  int error = errno;
  char message[5 + 5] = {REPORT_FAILED};
  memcpy(message + 1, &error, sizeof error);
  memcpy(message + 5, "start", 5);
  ssize_t n = write(report, message, sizeof message);
  _exit(n > 0 ? 127 : 126);
}

pid_t launch_start(const struct launch *launch, struct report *report, const char **step) {
  int ends[2];
  *step = "pipe";
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  *step = "payload";
  int payload = make_payload(launch, ends[1]);
  pid_t pid = -1;
  if (payload >= 0) {
    char number[16];
    (void)snprintf(number, sizeof number, "%d", payload);
    *step = "fork";
    pid = fork();
    if (pid == 0) become_shim(launch, payload, ends[1], number);
  }
  int error = errno;
  if (payload >= 0) (void)close(payload);
  (void)close(ends[1]);
  if (pid < 0) {
    (void)close(ends[0]);
    errno = error;
    return -1;
  }
  /* Here too, so that a signal to the group finds it whichever is first. It fails once the child has executed: then it is
   * done. The leader of a group could not begin a session any more. */
  if (launch->own_group && !launch->own_session) (void)setpgid(pid, pid);
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK); /* this end of the pipe is the keeper's alone */
  *report = (struct report){.fd = ends[0]};
  return pid;
}

static enum launch_result read_failure(const char *message, size_t length, char *step, size_t room, int *error) {
  size_t name = length - 1 - sizeof *error;
  memcpy(error, message + 1, sizeof *error);
  if (name >= room) name = room - 1;
  memcpy(step, message + 1 + sizeof *error, name);
  step[name] = '\0';
  return LAUNCH_FAILED;
}

enum launch_result launch_read(struct report *report, char *step, size_t room, int *error) {
  char bytes[REPORT_BYTES];
  for (;;) {
    ssize_t n = read(report->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return LAUNCH_WAITING;
    if (n <= 0) break;
    size_t skipped = bytes[0] == REPORT_EXECUTED_BEFORE ? 1 : 0;
    if (bytes[0] == REPORT_EXECUTES && (size_t)n > sizeof report->start_time) {
      memcpy(&report->start_time, bytes + 1, sizeof report->start_time);
      skipped = 1 + sizeof report->start_time;
    }
    report->executes = report->executes || skipped > 0;
    size_t length = (size_t)n - skipped;
    if (length > 1 + sizeof *error) return read_failure(bytes + skipped, length, step, room, error);
  }
  if (report->executes) return LAUNCH_DONE;
  /* It ended without a word: killed before it could execute anything. */
  *error = EINTR;
  (void)snprintf(step, room, "start");
  return LAUNCH_FAILED;
}
