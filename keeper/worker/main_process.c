/* A worker gets another main process through MAINPID= (sd_notify(3)). It is watched by pidfd and is the worker from then on.
 * The process that was started may continue or end; if it ends, the main process becomes the keeper's child. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop/poller.h"
#include "output/output.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/protocol.h"
#include "worker/worker.h"
#include "worker/workers.h"

/* Opens and watches the process; -1 with errno and the step. */
static int hold(struct worker *worker, uint32_t pid, uint64_t start_time, const char **step) {
  *step = "process";
  int fd = processes_open(pid, start_time);
  if (fd < 0) return -1;
  *step = "watch";
  if (poller_add(fd, &worker->process_watcher, EPOLLIN) == 0) return fd;
  int error = errno;
  (void)close(fd);
  errno = error;
  return -1;
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
  struct buffer *event = events_begin(MESSAGE_moved);
  buffer_u64(event, worker->id);
  buffer_u32(event, pid);
  buffer_u64(event, start_time);
  events_post(worker->id);
}

void workers_follow_main(struct reader *command) {
  uint64_t id = read_u64(command);
  uint32_t pid = read_u32(command);
  uint64_t start_time = read_u64(command);
  struct worker *worker = worker_find(id);
  bool may_move = worker && (worker->state == WORKER_RUNNING || (worker->state == WORKER_LINGERING && worker->is_undecided));
  if (!may_move) return; /* its end is pending or reported */
  const char *step = "";
  int process = hold(worker, pid, start_time, &step);
  if (process < 0) events_failed(COMMAND_followMain, id, step, errno);
  else move(worker, pid, start_time, process);
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
