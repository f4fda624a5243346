#include "process/launch.h"

#include "app/facts.h"
#include "app/memory.h"
#include "app/pages.h"
#include "process/launch_child.h"
#include "protocol/protocol.h"

/* What the child reads, in pages of their own, because it gets no copy of the heap (memory_fork). */
static struct {
  char *bytes;
  size_t size, used;
} order_pages;

enum { ALIGNMENT = 8, ROUNDED = 16 /* how many of the parts below are rounded up */, STEP = 16 * 1024 };

/* At least what make_order takes. A text has a length field in a list, which is longer than its NUL. */
static size_t size_of(const struct launch *launch) {
  struct reader environment = reader_of(launch->environment->data, launch->environment->length);
  uint32_t variables = read_texts(&environment).count;
  size_t pids = launch->own_pid.count;
  size_t pointers = (size_t)launch->args.count + variables + 2 * pids + 2;
  size_t lists = launch->args.length + launch->environment->length + launch->identity.length + launch->limits.length;
  size_t texts = strlen(launch->file) + strlen(launch->cwd) + (launch->connect_path ? strlen(launch->connect_path) : 0) + 3;
  return pointers * sizeof(char *) + lists + texts + launch->own_pid.length + pids * (1 + PID_DIGITS + ALIGNMENT) +
         launch->identity.count * sizeof(gid_t) + ROUNDED * ALIGNMENT;
}

static void begin_order(size_t size) {
  if (size > order_pages.size) {
    pages_free(order_pages.bytes, order_pages.size);
    order_pages.size = (size + STEP - 1) / STEP * STEP;
    order_pages.bytes = pages_take(order_pages.size);
  }
  order_pages.used = 0;
}

static void *take(size_t bytes) {
  char *part = order_pages.bytes + order_pages.used;
  order_pages.used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return part;
}

static void *copy(const void *bytes, size_t length) {
  void *part = take(length);
  return length > 0 ? memcpy(part, bytes, length) : part;
}

static const char *copy_text(const char *text) {
  return text ? copy(text, strlen(text) + 1) : NULL;
}

static struct list copy_list(const struct list *list) {
  return (struct list){.data = copy(list->data, list->length), .length = list->length, .count = list->count};
}

/* The texts, NUL-terminated, after the pointers to them; with room for `more` further pointers. */
static char **unpack(const struct list *list, uint32_t more) {
  char **texts = take(((size_t)list->count + more + 1) * sizeof(char *));
  char *at = take(list->length);
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
  char *variable = take(name.length + 1 + PID_DIGITS);
  (void)snprintf(variable, name.length + 2, "%.*s=", (int)name.length, (const char *)name.data);
  uint32_t at = 0;
  while (environment[at] && !has_name(environment[at], name)) at++;
  if (!environment[at]) environment[at + 1] = NULL;
  environment[at] = variable;
  return variable + name.length + 1;
}

static struct order make_order(const struct launch *launch, int report) {
  begin_order(size_of(launch));
  struct order order = {.launch = *launch, .report = report, .args = unpack(&launch->args, 0)};
  order.launch.file = copy_text(launch->file);
  order.launch.cwd = copy_text(launch->cwd);
  order.launch.connect_path = copy_text(launch->connect_path);
  order.launch.identity = copy_list(&launch->identity);
  order.launch.limits = copy_list(&launch->limits);
  struct reader environment = reader_of(launch->environment->data, launch->environment->length);
  struct list variables = read_texts(&environment);
  order.environment = unpack(&variables, launch->own_pid.count);
  order.own_pid = take(launch->own_pid.count * sizeof *order.own_pid);
  struct reader names = reader_of(launch->own_pid.data, launch->own_pid.length);
  for (uint32_t i = 0; i < launch->own_pid.count; i++) order.own_pid[i] = leave_room(order.environment, read_bytes(&names));
  order.groups = take(launch->identity.count * sizeof *order.groups);
  for (uint32_t i = 2; i < launch->identity.count; i++) order.groups[i - 2] = (gid_t)list_number(&launch->identity, i);
  int score = launch->oom_score == INHERITED_OOM_SCORE ? facts->oom_score : launch->oom_score;
  if (score != INHERITED_OOM_SCORE) (void)snprintf(order.oom_score, sizeof order.oom_score, "%d", score);
  return order;
}

pid_t launch_start(const struct launch *launch, struct report *report, const char **step) {
  int ends[2];
  *step = "pipe";
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -1; /* the child writes less than a pipe holds */
  *step = "fork";
  struct order order = make_order(launch, ends[1]);
  pid_t pid = memory_fork();
  if (pid == 0) launch_become(&order);
  int error = errno;
  (void)close(ends[1]);
  if (pid < 0) {
    (void)close(ends[0]);
    errno = error;
    return -1;
  }
  /* The child does the same. Both do it so that a signal to the group reaches the child, whichever is first. It fails with
   * EACCES after the child's exec, when the child has done it. Not for a new session: a group leader cannot start one. */
  if (launch->own_group && !launch->own_session) (void)setpgid(pid, pid);
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
