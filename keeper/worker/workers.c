/* Commands on workers, and their starts until these are decided. */
#include "worker/workers.h"

#include <sys/epoll.h>

#include "app/facts.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "output/output.h"
#include "process/launch.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"
#include "sockets/sockets.h"
#include "worker/kin.h"
#include "worker/notify.h"
#include "worker/start.h"
#include "worker/tree.h"
#include "worker/worker.h"

/* The worker stays in the table until that is consumed: until then, a hello lists every worker that has outstanding events. */
static void fail_start(struct worker *worker, const char *step, int error) {
  worker_release(worker);
  worker->state = WORKER_TOLD;
  post_event(spawnFailed, worker->id, worker->id, step, (uint32_t)error);
}

void worker_tell_spawned(const struct worker *worker) {
  post_event(spawned, worker->id, worker->id, worker->pid, worker->start_time);
}

int worker_route_output(struct worker *worker, int pipe_fd, struct span prefix_span, struct span json_span) {
  SCOPED_TEXT prefix = span_text(prefix_span);
  SCOPED_TEXT json = span_text(json_span);
  int result = output_add(worker->id, worker->pid, pipe_fd, prefix, json, (worker->flags & SPAWN_HELPER) == 0);
  worker->routed = result == 0;
  return result;
}

void workers_spawn(struct reader *command) {
  struct command_spawn spawn = read_spawn(command);
  int output = -1;
  const char *step = "";
  uint64_t start = worker_count_start();
  if (worker_find(spawn.worker)) {
    post_event(spawnFailed, spawn.worker, spawn.worker, "worker", EEXIST);
    return;
  }
  struct worker *worker = worker_add(spawn.worker);
  pid_t pid = worker_start(&spawn, worker, &output, &step);
  int error = errno;
  if (pid < 0) {
    fail_start(worker, step, error);
    return;
  }
  worker->pid = (uint32_t)pid;
  worker->flags = spawn.flags | (spawn.connect_fd > 0 ? WORKER_CONNECTS : 0);
  worker->start = start;
  worker->kin.keeper = facts->pid;
  worker->kin.pipe = kin_inode(output);
  worker->kin.pair = worker->notify.end;
  bool ready = poller_add(worker->report.fd, &worker->report_watcher, EPOLLIN) == 0;
  step = "watch";
  if (ready && output >= 0) {
    step = "output";
    ready = worker_route_output(worker, output, spawn.prefix, spawn.json) == 0;
    if (!ready) (void)close(output);
  }
  if (ready) return;
  error = errno;
  (void)kill(pid, SIGKILL); /* reaped as an unknown child */
  fail_start(worker, step, error);
}

/* A lingering worker has no main process any more, so its other processes get the signal. */
static int send_signal(struct worker *worker, int signal_number, bool all) {
  if (all || worker->state == WORKER_LINGERING) return worker_tree_signal(worker, signal_number);
  if (worker->process >= 0) return processes_signal_by(worker->process, worker->pid, worker->start_time, signal_number);
  return kill((pid_t)worker->pid, signal_number);
}

void workers_signal(struct reader *fields) {
  struct command_signal command = read_signal(fields);
  struct worker *worker = worker_find(command.worker);
  bool is_there = worker && (worker->state <= WORKER_RUNNING || worker->state == WORKER_LINGERING);
  if (!is_there) return; /* its end is pending or reported */
  if (send_signal(worker, (int)command.signal, command.group == 1) == 0 || errno == ESRCH) return;
  events_failed(COMMAND_signal, command.worker, "kill", errno);
}

/* Where the worker receives datagrams; fd -1 with ENOTCONN if it does not. */
static struct destination worker_destination(uint64_t id) {
  const struct worker *worker = worker_find(id);
  struct destination to = {.fd = -1};
  if (worker) to = notify_destination(&worker->notify);
  if (to.fd < 0) errno = ENOTCONN;
  return to;
}

void workers_send(struct reader *fields) {
  struct command_sendDatagram command = read_sendDatagram(fields);
  bool to_worker = command.worker > 0;
  struct destination to = to_worker ? worker_destination(command.worker) : (struct destination){.fd = handles_fd(command.handle)};
  if (to.fd >= 0 && sockets_send(&to, command.bytes, &command.handles) == 0) return;
  events_failed(COMMAND_sendDatagram, to_worker ? command.worker : command.handle, "send", errno);
}

void workers_send_descriptors(struct reader *fields) {
  struct command_sendDescriptors command = read_sendDescriptors(fields);
  struct destination to = worker_destination(command.worker);
  if (to.fd < 0 || sockets_send(&to, command.bytes, &command.handles) < 0) {
    events_failed(COMMAND_sendDescriptors, command.worker, "send", errno);
    return;
  }
  for (uint32_t i = 0; i < command.handles.count; i++) handles_close(list_number(&command.handles, i));
  post_event(descriptorsSent, 0, command.worker);
}

bool worker_settle_start(struct worker *worker) {
  char step[REPORT_BYTES];
  int error = 0;
  switch (launch_read(&worker->report, step, sizeof step, &error)) {
    case LAUNCH_WAITING: return false;
    case LAUNCH_FAILED: fail_start(worker, step, error); return true;
    case LAUNCH_DONE: break;
  }
  worker_close_report(worker);
  worker->start_time = worker->report.start_time;
  if (worker->start_time == 0) worker->start_time = processes_start_time(worker->pid) & ~PROCESS_HELD_UP;
  worker->state = WORKER_RUNNING;
  worker_tree_begin(worker);
  if (worker->routed) output_pid(worker->id, worker->pid);
  worker_tell_spawned(worker);
  if (notify_watch(worker) < 0) {
    events_failed(COMMAND_spawn, worker->id, "watch", errno);
  }
  return true;
}

void worker_report_ready(struct watcher *watcher) {
  struct worker *worker = WATCHER_OWNER(watcher, struct worker, report_watcher);
  if (worker->state == WORKER_STARTING) (void)worker_settle_start(worker);
}

bool workers_expect_connection(uint32_t pid) {
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (worker->pid != pid || worker->state > WORKER_RUNNING || !(worker->flags & WORKER_CONNECTS)) continue;
    worker->flags &= ~WORKER_CONNECTS;
    return true;
  }
  return false;
}

void workers_sweep(void) {
  for (uint32_t i = 0; i < worker_count(); i++) (void)worker_listen(worker_at(i));
}

bool worker_listen(struct worker *worker) {
  if (worker->state != WORKER_RUNNING && worker->state != WORKER_LINGERING) return true;
  notify_read(worker, 0);
  notify_read(worker, 1);
  return !worker->notify.paused;
}

void workers_datagram_consumed(uint64_t id) {
  struct worker *worker = worker_find(id);
  if (worker) notify_consumed(worker);
}

void workers_end_consumed(uint64_t id) {
  struct worker *worker = worker_find(id);
  if (worker && worker->state == WORKER_TOLD) worker_discard(worker);
}
