#include "worker/start.h"

#include "app/descriptors.h"
#include "app/environment.h"
#include "app/facts.h"
#include "app/memory.h"
#include "process/cgroup.h"
#include "process/defaults.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"
#include "worker/kin.h"
#include "worker/notify.h"

enum { PIPE_BYTES = 1024 * 1024, OUTPUT_ROUTED = 0, OUTPUT_OWN = 1, STDIN_OWN = 1, STDIN_NOTIFY = 2 };

/* Descriptors that only the child needs; always closed here. */
struct parts {
  int null;
  int output_write;
  int notify_end;
};

static void close_parts(const struct parts *parts) {
  if (parts->null >= 0) (void)close(parts->null);
  if (parts->output_write >= 0) (void)close(parts->output_write);
  if (parts->notify_end >= 0) (void)close(parts->notify_end);
}

/* The worker also holds its pipe open for reading, so its writes never fail, even while no keeper exists. */
static int open_output(const struct command_spawn *spawn, int *reading, int *writing) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* less if that is not permitted */
  bool has_user = spawn->identity.count >= 2;
  uid_t uid = (uid_t)list_number(&spawn->identity, 0);
  gid_t gid = (gid_t)list_number(&spawn->identity, 1);
  char path[32];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
  int both = open(path, O_RDWR | O_CLOEXEC);
  /* The worker must own the pipe to open /dev/stdout. */
  if (both >= 0 && has_user && fchown(ends[1], uid, gid) < 0) both = descriptors_drop(both);
  (void)descriptors_drop(ends[1]);
  if (both < 0) return descriptors_drop(ends[0]);
  *reading = ends[0];
  *writing = both;
  return 0;
}

static uint32_t place(struct placement *placements, uint32_t count, int source, uint32_t target) {
  placements[count] = (struct placement){.source = source, .target = target};
  return count + 1;
}

/* Places 0, 1, 2, the sockets, and the worker's end of the notify pair. Returns the number of placements, or 0 with errno. */
static uint32_t place_all(const struct command_spawn *spawn, const struct parts *parts, struct placement *placements) {
  const struct list *wanted = &spawn->descriptors;
  if (wanted->count / 2 + 4 > LAUNCH_DESCRIPTORS || wanted->count % 2 != 0) {
    errno = EINVAL;
    return 0;
  }
  int output = spawn->output == OUTPUT_ROUTED ? parts->output_write : parts->null;
  bool own = spawn->output == OUTPUT_OWN;
  int input = spawn->input == STDIN_OWN ? STDIN_FILENO : parts->null;
  if (spawn->input == STDIN_NOTIFY && parts->notify_end >= 0) input = parts->notify_end;
  uint32_t count = place(placements, 0, input, 0);
  count = place(placements, count, own ? STDOUT_FILENO : output, 1);
  count = place(placements, count, own ? STDERR_FILENO : output, 2);
  for (uint32_t i = 0; i < wanted->count; i += 2) {
    int source = handles_fd(list_number(wanted, i));
    if (source < 0) return 0;
    count = place(placements, count, source, (uint32_t)list_number(wanted, i + 1));
  }
  if (parts->notify_end >= 0) count = place(placements, count, parts->notify_end, spawn->notify_fd);
  return count;
}

static pid_t launch_with(const struct command_spawn *spawn, const struct parts *parts, struct report *report, const char **step) {
  struct placement placements[LAUNCH_DESCRIPTORS];
  *step = "descriptor";
  uint32_t count = place_all(spawn, parts, placements);
  if (count == 0) return -1;
  SCOPED_BUFFER environment = {0};
  SCOPED_BUFFER limits = {0};
  environment_build(&environment, &spawn->env, &spawn->unset);
  SCOPED_TEXT file = span_text(spawn->file);
  SCOPED_TEXT cwd = span_text(spawn->cwd);
  SCOPED_TEXT connect_path = span_text(spawn->connect_path);
  struct launch launch = {
      .file = file,
      .program = -1,
      .args = spawn->args,
      .cwd = cwd,
      .environment = &environment,
      .own_pid = spawn->own_pid,
      .placements = placements,
      .placement_count = count,
      .identity = spawn->identity,
      .limits = defaults_limits(&limits, &spawn->limits),
      .umask = spawn->umask,
      .nice = spawn->nice + defaults_nice(),
      .oom_score = spawn->oom_score,
      .death_signal = spawn->death_signal,
      .own_session = (spawn->flags & SPAWN_GROUP) != 0,
      .sets_nice = (spawn->flags & SPAWN_NICE_LEVEL) != 0,
      .no_new_privs = (spawn->flags & SPAWN_NO_NEW_PRIVS) != 0,
      .connect_fd = spawn->connect_fd,
      .connect_path = connect_path,
  };
  bool is_helper = (spawn->flags & SPAWN_HELPER) != 0;
  if (!is_helper) launch.cgroup = cgroup_make((struct cgroup){.keeper = facts->pid, .worker = spawn->worker});
  pid_t pid = launch_start(&launch, report, step);
  if (launch.cgroup > 0) (void)descriptors_drop(launch.cgroup);
  return pid;
}

pid_t worker_start(const struct command_spawn *spawn, struct worker *worker, int *output, const char **step) {
  struct parts parts = {.null = -1, .output_write = -1, .notify_end = -1};
  *output = -1;
  pid_t pid = -1;
  *step = "stdin";
  parts.null = descriptors_open_null();
  bool ready = parts.null >= 0;
  if (ready && spawn->output == OUTPUT_ROUTED) {
    *step = "output";
    ready = open_output(spawn, output, &parts.output_write) == 0;
  }
  if (ready) {
    *step = "notify";
    bool pair = spawn->notify_fd > 0;
    ready = notify_open(&worker->notify, pair, spawn->notify_path, &spawn->identity, &parts.notify_end) == 0;
  }
  if (ready) pid = launch_with(spawn, &parts, &worker->report, step);
  int error = errno;
  worker->notify.end = kin_inode(parts.notify_end);
  close_parts(&parts);
  if (pid < 0) {
    notify_close(&worker->notify);
    if (*output >= 0) (void)close(*output);
    *output = -1;
  }
  errno = error;
  return pid;
}
