#include "process/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/facts.h"
#include "app/memory.h"
#include "process/launch_child.h"
#include "protocol/protocol.h"

/* The texts, NUL-terminated, in one block after the pointers to them; with room for `more` further pointers. */
static char **unpack(const struct list *list, uint32_t more) {
  size_t pointers = ((size_t)list->count + more + 1) * sizeof(char *);
  char **texts = memory_take(pointers + list->length); /* each text has a length field there, which is longer than the NUL */
  char *at = (char *)texts + pointers;
  struct reader reader = reader_of(list->data, list->length);
  for (uint32_t i = 0; i < list->count; i++) {
    struct span text = read_bytes(&reader);
    texts[i] = at;
    if (text.length > 0) memcpy(at, text.data, text.length);
    at[text.length] = '\0';
    at += text.length + 1;
  }
  texts[list->count] = NULL;
  return texts;
}

static bool has_name(const char *variable, struct span name) {
  return strncmp(variable, (const char *)name.data, name.length) == 0 && variable[name.length] == '=';
}

/* Adds NAME= to the environment, with room for a pid after it. Returns that room. */
static char *leave_room(char **environment, struct span name) {
  char *variable = memory_take(name.length + 1 + PID_DIGITS);
  (void)snprintf(variable, name.length + 2, "%.*s=", (int)name.length, (const char *)name.data);
  uint32_t at = 0;
  while (environment[at] && !has_name(environment[at], name)) at++;
  if (!environment[at]) environment[at + 1] = NULL;
  environment[at] = variable;
  return variable + name.length + 1;
}

static struct order make_order(const struct launch *launch, int report) {
  struct order order = {.launch = launch, .report = report, .args = unpack(&launch->args, 0)};
  struct reader environment = reader_of(launch->environment->data, launch->environment->length);
  struct list variables = read_texts(&environment);
  order.environment = unpack(&variables, launch->own_pid.count);
  order.own_pid = memory_take(launch->own_pid.count * sizeof *order.own_pid);
  struct reader names = reader_of(launch->own_pid.data, launch->own_pid.length);
  for (uint32_t i = 0; i < launch->own_pid.count; i++) order.own_pid[i] = leave_room(order.environment, read_bytes(&names));
  order.groups = memory_take(launch->identity.count * sizeof *order.groups);
  for (uint32_t i = 2; i < launch->identity.count; i++) order.groups[i - 2] = (gid_t)list_number(&launch->identity, i);
  int score = launch->oom_score == INHERITED_OOM_SCORE ? facts->oom_score : launch->oom_score;
  if (score != INHERITED_OOM_SCORE) (void)snprintf(order.oom_score, sizeof order.oom_score, "%d", score);
  return order;
}

static void free_order(struct order *order) {
  struct reader names = reader_of(order->launch->own_pid.data, order->launch->own_pid.length);
  for (uint32_t i = 0; i < order->launch->own_pid.count; i++) free(order->own_pid[i] - read_bytes(&names).length - 1);
  free(order->own_pid);
  free(order->args);
  free(order->environment);
  free(order->groups);
}

pid_t launch_start(const struct launch *launch, struct report *report, const char **step) {
  int ends[2];
  *step = "pipe";
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  *step = "fork";
  struct order order = make_order(launch, ends[1]);
  pid_t pid = fork();
  if (pid == 0) launch_become(&order);
  int error = errno;
  free_order(&order);
  (void)close(ends[1]);
  if (pid < 0) {
    (void)close(ends[0]);
    errno = error;
    return -1;
  }
  /* The child does the same. Both do it so that a signal to the group reaches the child, whichever is first. It fails with
   * EACCES after the child's exec, when the child has done it. Not for a new session: a group leader cannot start one. */
  if (launch->own_group && !launch->own_session) (void)setpgid(pid, pid);
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK); /* only the keeper uses this end of the pipe */
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
  /* Ended without a report: killed before the exec. */
  *error = EINTR;
  (void)snprintf(step, room, "start");
  return LAUNCH_FAILED;
}
