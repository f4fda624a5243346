#include "workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "descriptors.h"
#include "events.h"
#include "handles.h"
#include "launch.h"
#include "loop.h"
#include "memory.h"
#include "notify.h"
#include "output.h"
#include "processes.h"
#include "protocol.h"
#include "sockets.h"
#include "worker_start.h"

enum {
  DRAIN_MS = 200, /* how long an exit waits for output that a blocked sink does not take */
  SIGNAL_GROUP = 4, /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */
  ENDING_EXIT = 0,
  ENDING_SIGNAL = 1,
  ENDING_CORE = 2,
  ENDING_UNKNOWN = 3,
};

struct worker {
  uint64_t id;
  uint32_t pid;
  uint32_t flags;
  uint64_t start_time;
  enum worker_state state;
  uint64_t start; /* the how manieth start it is */
  struct report report;
  struct notify notify;
  int process; /* pidfd of one that is not our child; -1 */
  bool routed;
  uint8_t ending;
  uint32_t status;
  uint64_t ended_at;
};

static struct worker **workers;
static uint32_t count;
static uint32_t capacity;
static uint64_t starts;

static struct worker *find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (workers[i]->id == id) return workers[i];
  }
  return NULL;
}

static struct worker *add(uint64_t id) {
  if (count == capacity) {
    capacity = capacity == 0 ? 8 : capacity * 2;
    workers = memory_resize(workers, capacity * sizeof(struct worker *));
  }
  struct worker *worker = memory_take_zeroed(sizeof *worker);
  *worker = (struct worker){.id = id, .report.fd = -1, .process = -1, .notify = {.pair = -1, .bound = -1}};
  workers[count++] = worker;
  return worker;
}

static void close_report(struct worker *worker) {
  if (worker->report.fd < 0) return;
  loop_forget(worker->report.fd);
  (void)close(worker->report.fd);
  worker->report.fd = -1;
}

/* Lets go of all that it holds. */
static void discard(struct worker *worker) {
  close_report(worker);
  notify_close(&worker->notify);
  if (worker->process >= 0) {
    loop_forget(worker->process);
    (void)close(worker->process);
  }
  if (worker->routed) output_remove(worker->id);
  for (uint32_t i = 0; i < count; i++) {
    if (workers[i] == worker) workers[i] = workers[--count];
  }
  free(worker);
}

static void tell_spawn_failed(uint64_t id, const char *step, int error) {
  struct buffer *event = events_begin(MESSAGE_spawnFailed);
  buffer_u64(event, id);
  buffer_text(event, step);
  buffer_u32(event, (uint32_t)error);
  events_post(id);
}

static void tell_spawned(const struct worker *worker) {
  struct buffer *event = events_begin(MESSAGE_spawned);
  buffer_u64(event, worker->id);
  buffer_u32(event, worker->pid);
  buffer_u64(event, worker->start_time);
  events_post(worker->id);
}

/* The thread takes the pipe over; without it the worker's output would be lost, so that is a failed start. */
static int route_output(struct worker *worker, const struct spawn *spawn, int pipe_fd) {
  char *prefix = span_text(spawn->prefix);
  char *json = span_text(spawn->json);
  int result = output_add(worker->id, worker->pid, pipe_fd, prefix, json, (spawn->flags & SPAWN_HELPER) == 0);
  int error = errno;
  free(prefix);
  free(json);
  errno = error;
  worker->routed = result == 0;
  return result;
}

void workers_spawn(struct reader *command) {
  struct spawn spawn = worker_start_read(command);
  struct notify notify;
  struct report report = {.fd = -1};
  int output = -1;
  const char *step = "";
  starts++;
  if (find(spawn.worker)) {
    tell_spawn_failed(spawn.worker, "worker", EEXIST);
    return;
  }
  pid_t pid = worker_start(&spawn, &notify, &report, &output, &step);
  if (pid < 0) {
    tell_spawn_failed(spawn.worker, step, errno);
    return;
  }
  struct worker *worker = add(spawn.worker);
  worker->pid = (uint32_t)pid;
  worker->flags = spawn.flags;
  worker->start = starts;
  worker->notify = notify;
  worker->report = report;
  bool ready = loop_watch(report.fd, WATCH_STARTING, worker->id, EPOLLIN) == 0;
  step = "watch";
  if (ready && output >= 0) {
    step = "output";
    ready = route_output(worker, &spawn, output) == 0;
    if (!ready) (void)close(output);
  }
  if (ready) return;
  int error = errno;
  (void)kill(pid, SIGKILL); /* reaped as a child that is no worker */
  discard(worker);
  tell_spawn_failed(spawn.worker, step, error);
}

void workers_adopt(struct reader *command) {
  uint64_t id = read_u64(command);
  uint32_t pid = read_u32(command);
  uint64_t start_time = read_u64(command);
  uint32_t flags = read_u32(command);
  int process = -1;
  const char *step = "worker";
  errno = EEXIST;
  bool ready = find(id) == NULL;
  if (ready) {
    step = "process";
    process = processes_open(pid, start_time);
    ready = process >= 0;
  }
  if (ready) {
    step = "watch";
    ready = loop_watch(process, WATCH_PROCESS, id, EPOLLIN) == 0;
  }
  if (!ready) {
    int error = errno;
    if (process >= 0) (void)close(process);
    events_failed(COMMAND_adopt, id, step, error);
    return;
  }
  struct worker *worker = add(id);
  worker->pid = pid;
  worker->flags = flags;
  worker->start_time = start_time;
  worker->state = WORKER_RUNNING;
  worker->process = process;
  tell_spawned(worker);
}

static int send_signal(const struct worker *worker, int signal_number, bool group) {
  bool to_group = group && (worker->flags & SPAWN_GROUP);
  if (worker->process >= 0) {
    return (int)syscall(SYS_pidfd_send_signal, worker->process, signal_number, NULL, to_group ? SIGNAL_GROUP : 0);
  }
  return kill(to_group ? -(pid_t)worker->pid : (pid_t)worker->pid, signal_number);
}

void workers_signal(struct reader *command) {
  uint64_t id = read_u64(command);
  int signal_number = read_i32(command);
  bool group = read_u8(command) == 1;
  struct worker *worker = find(id);
  if (!worker || worker->state > WORKER_RUNNING) return; /* its end is on the way, or was told */
  if (send_signal(worker, signal_number, group) == 0 || errno == ESRCH) return;
  int error = errno;
  bool is_old_kernel = error == EINVAL && worker->process >= 0 && group;
  if (is_old_kernel && send_signal(worker, signal_number, false) == 0) {
    /* The pidfd says that the leader lives, so the group's number is still its own. */
    if (kill(-(pid_t)worker->pid, signal_number) == 0 || errno == ESRCH) return;
    error = errno;
  }
  events_failed(COMMAND_signal, id, "kill", error);
}

void workers_send(struct reader *command) {
  uint64_t handle = read_u64(command);
  uint64_t id = read_u64(command);
  struct span bytes = read_bytes(command);
  struct list handles = read_numbers(command);
  int fd;
  if (id > 0) {
    struct worker *worker = find(id);
    fd = worker ? worker->notify.pair : -1;
    if (fd < 0) errno = ENOTCONN;
  } else {
    fd = handles_fd(handle);
  }
  if (fd < 0 || sockets_send(fd, bytes, &handles) < 0) events_failed(COMMAND_sendDatagram, id > 0 ? id : handle, "send", errno);
}

/* True when its start is decided. A start that failed is told, and the worker is no more. */
static bool settle_start(struct worker *worker) {
  char step[REPORT_BYTES];
  int error = 0;
  switch (launch_read(&worker->report, step, sizeof step, &error)) {
    case LAUNCH_WAITING:
      return false;
    case LAUNCH_FAILED: {
      uint64_t id = worker->id;
      discard(worker);
      tell_spawn_failed(id, step, error);
      return true;
    }
    case LAUNCH_DONE:
      break;
  }
  close_report(worker);
  worker->start_time = processes_start_time(worker->pid);
  worker->state = WORKER_RUNNING;
  if (worker->routed) output_pid(worker->id, worker->pid);
  tell_spawned(worker);
  if (notify_watch(&worker->notify, worker->id) < 0) {
    events_failed(COMMAND_spawn, worker->id, "watch", errno);
  }
  return true;
}

void workers_report_ready(uint64_t id) {
  struct worker *worker = find(id);
  if (worker && worker->state == WORKER_STARTING) (void)settle_start(worker);
}

void workers_datagram_ready(uint64_t id, uint8_t source) {
  struct worker *worker = find(id);
  if (worker && worker->state == WORKER_RUNNING) notify_read(&worker->notify, id, source);
}

void workers_sweep(void) {
  for (uint32_t i = 0; i < count; i++) {
    struct worker *worker = workers[i];
    if (worker->state != WORKER_RUNNING) continue;
    notify_read(&worker->notify, worker->id, 0);
    notify_read(&worker->notify, worker->id, 1);
  }
}

static void tell_exit(struct worker *worker) {
  char tail[LIMIT_TAIL_BYTES];
  size_t length = worker->routed ? output_tail(worker->id, tail, sizeof tail) : 0;
  struct buffer *event = events_begin(MESSAGE_exited);
  events_happened_at(worker->ended_at);
  buffer_u64(event, worker->id);
  buffer_u32(event, worker->pid);
  buffer_u8(event, worker->ending);
  buffer_u32(event, worker->status);
  buffer_bytes(event, tail, length);
  events_post(worker->id);
  if (worker->routed) output_remove(worker->id);
  worker->routed = false;
  worker->state = WORKER_TOLD;
}

/* It is gone: first all that it said, then its end. */
static void begin_end(struct worker *worker) {
  worker->state = WORKER_ENDING;
  worker->ended_at = clock_now();
  notify_finish(&worker->notify, worker->id);
  notify_close(&worker->notify);
  if (!worker->routed) {
    tell_exit(worker);
    return;
  }
  output_drain(worker->id);
  uint64_t until = worker->ended_at + DRAIN_MS;
  uint64_t other = clock_get(DEADLINE_EXITS);
  if (other == 0 || until < other) clock_set(DEADLINE_EXITS, until);
}

void workers_output_drained(uint64_t id) {
  struct worker *worker = find(id);
  if (worker && worker->state == WORKER_ENDING) tell_exit(worker);
}

void workers_tell_late_exits(void) {
  uint64_t now = clock_now();
  uint64_t next = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct worker *worker = workers[i];
    if (worker->state != WORKER_ENDING) continue;
    uint64_t until = worker->ended_at + DRAIN_MS;
    if (until <= now) tell_exit(worker);
    else if (next == 0 || until < next) next = until;
  }
  clock_set(DEADLINE_EXITS, next);
}

void workers_process_gone(uint64_t id) {
  struct worker *worker = find(id);
  if (!worker || worker->process < 0 || worker->state != WORKER_RUNNING) return;
  if (worker->flags & SPAWN_END_GROUP) {
    (void)syscall(SYS_pidfd_send_signal, worker->process, SIGKILL, NULL, SIGNAL_GROUP);
  }
  loop_forget(worker->process);
  (void)close(worker->process);
  worker->process = -1;
  worker->ending = ENDING_UNKNOWN;
  begin_end(worker);
}

static struct worker *find_child(pid_t pid) {
  for (uint32_t i = 0; i < count; i++) {
    bool is_child = workers[i]->process < 0 && workers[i]->state <= WORKER_RUNNING;
    if (is_child && (pid_t)workers[i]->pid == pid) return workers[i];
  }
  return NULL;
}

static uint8_t ending_of(const siginfo_t *info) {
  if (info->si_code == CLD_EXITED) return ENDING_EXIT;
  return info->si_code == CLD_DUMPED ? ENDING_CORE : ENDING_SIGNAL;
}

bool workers_child_gone(const siginfo_t *info) {
  struct worker *worker = find_child(info->si_pid);
  if (!worker) return false;
  uint64_t id = worker->id;
  uint32_t group = SPAWN_GROUP | SPAWN_END_GROUP;
  if (worker->state == WORKER_STARTING) {
    /* Its end of the report is closed, so this decides it: a target that ended at once was spawned, and comes first. */
    (void)settle_start(worker);
    worker = find(id);
  }
  /* Not reaped yet, so its number and its group's cannot be anybody else's. */
  if (worker && (worker->flags & group) == group) (void)kill(-info->si_pid, SIGKILL);
  siginfo_t reaped;
  while (waitid(P_PID, (id_t)info->si_pid, &reaped, WEXITED) < 0 && errno == EINTR) continue;
  if (!worker || worker->state == WORKER_STARTING) return true;
  worker->ending = ending_of(info);
  worker->status = (uint32_t)info->si_status;
  begin_end(worker);
  return true;
}

void workers_datagram_consumed(uint64_t id) {
  struct worker *worker = find(id);
  if (worker) notify_consumed(&worker->notify, id);
}

void workers_exit_consumed(uint64_t id) {
  struct worker *worker = find(id);
  if (worker && worker->state == WORKER_TOLD) discard(worker);
}

uint64_t workers_starts(void) {
  return starts;
}

bool workers_started_up_to(uint64_t start) {
  for (uint32_t i = 0; i < count; i++) {
    if (workers[i]->state == WORKER_STARTING && workers[i]->start <= start) return false;
  }
  return true;
}

uint32_t workers_alive(void) {
  uint32_t alive = 0;
  for (uint32_t i = 0; i < count; i++) alive += workers[i]->state != WORKER_TOLD ? 1 : 0;
  return alive;
}

static uint8_t hello_state(enum worker_state state) {
  if (state == WORKER_STARTING) return 0;
  return state == WORKER_RUNNING ? 1 : 2;
}

void workers_hello(struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    const struct worker *worker = workers[i];
    buffer_u32(out, 1 + 8 + 4 + 8 + 1);
    buffer_u8(out, MESSAGE_helloWorker);
    buffer_u64(out, worker->id);
    buffer_u32(out, worker->pid);
    buffer_u64(out, worker->start_time);
    buffer_u8(out, hello_state(worker->state));
  }
}

void workers_leave(void) {
  for (uint32_t i = 0; i < count; i++) notify_close(&workers[i]->notify);
}

void workers_save(struct buffer *out) {
  buffer_u64(out, starts);
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct worker *worker = workers[i];
    buffer_u64(out, worker->id);
    buffer_u32(out, worker->pid);
    buffer_u32(out, worker->flags);
    buffer_u64(out, worker->start_time);
    buffer_u32(out, worker->state);
    buffer_u64(out, worker->start);
    save_descriptor(out, worker->report.fd);
    buffer_u8(out, worker->report.executes ? 1 : 0);
    save_descriptor(out, worker->process);
    buffer_u8(out, worker->routed ? 1 : 0);
    buffer_u8(out, worker->ending);
    buffer_u32(out, worker->status);
    buffer_u64(out, worker->ended_at);
    notify_save(&worker->notify, out);
  }
}

/* Watches again what is to be watched. What happened meanwhile waits in the descriptors and in the pending SIGCHLD. */
static bool resume(struct worker *worker) {
  switch (worker->state) {
    case WORKER_STARTING:
      return loop_watch(worker->report.fd, WATCH_STARTING, worker->id, EPOLLIN) == 0;
    case WORKER_RUNNING:
      if (worker->process >= 0 && loop_watch(worker->process, WATCH_PROCESS, worker->id, EPOLLIN) < 0) return false;
      return notify_watch(&worker->notify, worker->id) == 0;
    case WORKER_ENDING:
      clock_set(DEADLINE_EXITS, clock_now() + 1);
      return true;
    case WORKER_TOLD:
      return true;
  }
  return false;
}

bool workers_load(struct reader *in) {
  starts = read_u64(in);
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct worker *worker = add(read_u64(in));
    worker->pid = read_u32(in);
    worker->flags = read_u32(in);
    worker->start_time = read_u64(in);
    worker->state = (enum worker_state)read_u32(in);
    worker->start = read_u64(in);
    worker->report.fd = load_descriptor(in);
    worker->report.executes = read_u8(in) == 1;
    worker->process = load_descriptor(in);
    worker->routed = read_u8(in) == 1;
    worker->ending = read_u8(in);
    worker->status = read_u32(in);
    worker->ended_at = read_u64(in);
    notify_load(&worker->notify, in);
    if (in->failed || !resume(worker)) return false;
  }
  return !in->failed;
}
