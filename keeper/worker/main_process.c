/* A worker gets another main process through MAINPID= (sd_notify(3)). It is watched by pidfd and is the worker from then on.
 * The process that was started may continue or end; if it ends, the main process becomes the keeper's child. */
#include <sys/epoll.h>

#include "app/descriptors.h"
#include "loop/poller.h"
#include "output/output.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "worker/worker.h"
#include "worker/workers.h"

/* Opens and watches the process; -1 with errno and the step. */
static int hold(struct worker *worker, uint32_t pid, uint64_t start_time, const char **step) {
  *step = "process";
  int fd = processes_open(pid, start_time);
  if (fd < 0) return -1;
  *step = "watch";
  return poller_add(fd, &worker->process_watcher, EPOLLIN) == 0 ? fd : descriptors_drop(fd);
}

static void move(struct worker *worker, uint32_t pid, uint64_t start_time, int process) {
  if (worker->process >= 0) {
    poller_remove(worker->process, &worker->process_watcher);
    (void)close(worker->process);
  }
  worker->process = process;
  worker->pid = pid;
  worker->start_time = start_time;
  worker->state = WORKER_RUNNING;
  worker->is_undecided = false;
  if (worker->routed) output_pid(worker->id, pid);
  post_event(moved, worker->id, worker->id, pid, start_time);
}

void workers_follow_main(struct reader *fields) {
  struct command_followMain command = read_followMain(fields);
  struct worker *worker = worker_find(command.worker);
  bool may_move = worker && (worker->state == WORKER_RUNNING || (worker->state == WORKER_LINGERING && worker->is_undecided));
  if (!may_move) return; /* its end is pending or reported */
  const char *step = "";
  int process = hold(worker, command.pid, command.start_time, &step);
  if (process < 0) events_failed(COMMAND_followMain, command.worker, step, errno);
  else move(worker, command.pid, command.start_time, process);
}

/* Earlier versions saved process groups here. */
void worker_main_save(struct buffer *out) {
  buffer_u32(out, 0);
}

bool worker_main_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    (void)read_u64(in);
    (void)read_u32(in);
  }
  return !in->failed;
}
