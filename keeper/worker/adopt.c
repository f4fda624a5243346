/* Adopts a worker that an earlier keeper started: watches it by pidfd, opens its pipe again through /proc, and binds its notify
 * socket again. A failure to recover one of these is reported as an event; the worker is watched anyway. */
#include <sys/epoll.h>
#include <sys/stat.h>

#include "app/descriptors.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "process/child.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/fetch.h"
#include "worker/notify.h"
#include "worker/tree.h"
#include "worker/worker.h"
#include "worker/workers.h"

/* Opens the pipe for reading only. The worker holds a reading end of its own, so nothing that it wrote meanwhile is lost. */
static int open_output(const struct command_adopt *adoption) {
  char path[64];
  struct stat status;
  (void)snprintf(path, sizeof path, "/proc/%u/fd/%u", adoption->pid, adoption->output);
  /* stat(2) first: opening a device or a socket through /proc would do something else. */
  if (stat(path, &status) < 0) return -1;
  int fd = -1;
  errno = EPROTOTYPE;
  if (S_ISFIFO(status.st_mode)) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -1;
  bool is_its_own = processes_start_time(adoption->pid) == adoption->start_time;
  if (is_its_own && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) return fd;
  (void)close(fd);
  errno = ESRCH;
  return -1;
}

static void take_output(struct worker *worker, const struct command_adopt *adoption) {
  if (adoption->output == UNCHANGED) return;
  int fd = open_output(adoption);
  if (fd >= 0 && worker_route_output(worker, fd, adoption->prefix, adoption->json) == 0) return;
  (void)descriptors_drop(fd);
  events_failed(COMMAND_adopt, worker->id, "output", errno);
}

static int bind_notify(struct worker *worker, const struct command_adopt *adoption) {
  int none = -1;
  int result = notify_open(&worker->notify, false, adoption->notify_path, &adoption->identity, &none);
  return result == 0 ? notify_watch(worker) : -1;
}

/* The worker's end of the pair is the same socket in both processes, so connecting it here connects it there. */
int workers_lead_notify(uint64_t id, int fd) {
  const struct worker *worker = worker_find(id);
  if (worker && worker->state == WORKER_RUNNING) return notify_lead(&worker->notify, fd);
  errno = ESRCH;
  return -1;
}

static void take_notify(struct worker *worker, const struct command_adopt *adoption) {
  if (adoption->notify_path.length == 0) return;
  if (bind_notify(worker, adoption) < 0) events_failed(COMMAND_adopt, worker->id, "notify-socket", errno);
  else if (adoption->notify_fd > 0) fetch_notify_end(worker->id, worker->pid, worker->start_time, adoption->notify_fd);
}

/* Returns a pidfd of the process; -1 with errno and the step. */
static int open_process(const struct command_adopt *adoption, const char **step) {
  *step = "worker";
  if (worker_find(adoption->worker)) {
    errno = EEXIST;
    return -1;
  }
  *step = "process";
  return processes_open(adoption->pid, adoption->start_time);
}

static struct worker *add_adopted(const struct command_adopt *adoption, enum worker_state state) {
  struct worker *worker = worker_add(adoption->worker);
  worker->pid = adoption->pid;
  worker->flags = adoption->flags;
  worker->start_time = adoption->start_time;
  worker->state = state;
  bool has_user = adoption->identity.count >= 2;
  uint32_t user = has_user ? (uint32_t)list_number(&adoption->identity, 0) : geteuid();
  worker_tree_adopt(worker, adoption->keeper, adoption->generation, user);
  return worker;
}

/* The main process has ended; processes that it started may be left. */
static bool take_rest(const struct command_adopt *adoption) {
  struct worker *worker = add_adopted(adoption, WORKER_LINGERING);
  worker->ending = ENDING_UNKNOWN;
  if (worker_tree_adopt_rest(worker)) return true;
  worker_discard(worker);
  return false;
}

void workers_adopt(struct reader *command) {
  struct command_adopt adoption = read_adopt(command);
  const char *step = "";
  int process = open_process(&adoption, &step);
  if (process < 0) {
    int error = errno;
    if (error == ESRCH && take_rest(&adoption)) return;
    events_failed(COMMAND_adopt, adoption.worker, step, error);
    return;
  }
  struct worker *worker = add_adopted(&adoption, WORKER_RUNNING);
  worker->process = process;
  if (poller_add(process, &worker->process_watcher, EPOLLIN) < 0) {
    events_failed(COMMAND_adopt, adoption.worker, "watch", errno);
    worker_discard(worker);
    return;
  }
  worker_tell_spawned(worker);
  take_output(worker, &adoption);
  take_notify(worker, &adoption);
}
