/* Collects the ends of workers, and reports each after everything that the worker said before. */
#include <poll.h>
#include <sys/wait.h>

#include "app/admission.h"
#include "app/clock.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "output/output.h"
#include "process/child.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/fetch.h"
#include "worker/notify.h"
#include "worker/tree.h"
#include "worker/watchdog.h"
#include "worker/worker.h"
#include "worker/workers.h"

enum {
  DRAIN_MS = 200,   /* how long an exit waits for output that a blocked sink does not accept */
  LISTEN_MS = 1500, /* and for datagrams with descriptors: longer than the limit for receiving one (fetch.c) */
};

static void tell_late_ends(void);

static struct timer late = {.expired = tell_late_ends};

void worker_tell_end_by(uint64_t at) {
  timer_set_by(&late, at);
}

static void tell_exit(struct worker *worker) {
  char tail[LIMIT_TAIL_BYTES];
  size_t length = worker->routed ? output_tail(worker->id, tail, sizeof tail) : 0;
  events_happened_at(worker->ended_at);
  post_event(exited, worker->id, worker->id, worker->pid, worker->ending, worker->status, span_of(tail, length));
  if (worker->routed) output_remove(worker->id);
  worker->routed = false;
  worker->state = WORKER_TOLD;
  fetch_forget(worker->id);
  notify_close(&worker->notify);
}

bool worker_is_receiving(const struct worker *worker) {
  return fetch_is_receiving(worker->id) || notify_waits_to_fetch(&worker->notify);
}

/* The latest time to report an exit. */
static uint64_t tell_until(const struct worker *worker) {
  return worker->ended_at + (worker_is_receiving(worker) ? LISTEN_MS : DRAIN_MS);
}

static void tell_exit_if_heard(struct worker *worker) {
  if (worker->state != WORKER_ENDING || worker_is_receiving(worker)) return;
  notify_close(&worker->notify);
  if (!worker->routed || worker->drained) tell_exit(worker);
  else worker_tell_end_by(tell_until(worker));
}

void worker_begin_end(struct worker *worker) {
  worker->state = WORKER_ENDING;
  worker->ended_at = clock_now();
  watchdog_end(worker);
  notify_finish(worker);
  if (worker->routed) output_drain(worker->id);
  tell_exit_if_heard(worker);
  if (worker->state == WORKER_ENDING) worker_tell_end_by(tell_until(worker));
}

void workers_output_drained(uint64_t id) {
  struct worker *worker = worker_find(id);
  if (!worker) return;
  worker->drained = true;
  tell_exit_if_heard(worker);
}

void workers_take_datagram(uint64_t id, uint8_t source, const struct datagram *datagram) {
  struct worker *worker = worker_find(id);
  if (worker && worker->state != WORKER_TOLD) {
    notify_take(worker, source, datagram);
    return;
  }
  for (uint32_t i = 0; i < datagram->fd_count; i++) admission_close(datagram->fds[i]);
}

/* Handles what waited behind datagrams that were received elsewhere. */
static void go_on_listening(struct worker *worker) {
  bool is_heard = worker->state == WORKER_RUNNING || (worker->state == WORKER_LINGERING && !worker->is_undecided);
  if (is_heard) (void)worker_listen(worker);
  if (worker->is_undecided) notify_finish(worker);
  worker_trees_decide();
  if (worker->state != WORKER_ENDING) return;
  notify_finish(worker);
  tell_exit_if_heard(worker);
}

void workers_fetched(uint64_t id, uint8_t source) {
  struct worker *worker = worker_find(id);
  if (!worker || worker->state == WORKER_TOLD) return;
  notify_fetched(worker, source);
  go_on_listening(worker);
}

void workers_fetch_again(void) {
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (!notify_waits_to_fetch(&worker->notify)) continue;
    notify_fetch_again(worker);
    go_on_listening(worker);
  }
}

/* Reports exits that have waited long enough for a blocked sink. */
static void tell_late_ends(void) {
  uint64_t now = clock_now();
  uint64_t next = 0;
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (worker->state != WORKER_ENDING) continue;
    uint64_t until = tell_until(worker);
    if (until <= now) tell_exit(worker);
    else if (next == 0 || until < next) next = until;
  }
  timer_set(&late, next);
}

/* The event that woke the loop may concern the previous process of this worker. */
static bool has_ended(int process) {
  struct pollfd looked = {.fd = process, .events = POLLIN};
  return poll(&looked, 1, 0) > 0;
}

static void let_go(struct worker *worker) {
  if (worker->process < 0) return;
  poller_remove(worker->process, &worker->process_watcher);
  (void)close(worker->process);
  worker->process = -1;
}

void worker_process_ready(struct watcher *watcher) {
  struct worker *worker = WATCHER_OWNER(watcher, struct worker, process_watcher);
  if (worker->process < 0 || worker->state != WORKER_RUNNING || !has_ended(worker->process)) return;
  let_go(worker);
  worker->ending = ENDING_UNKNOWN;
  worker_tree_main_ended(worker);
}

static struct worker *find_child(pid_t pid) {
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    bool has_main = worker->state == WORKER_STARTING || worker->state == WORKER_RUNNING;
    if ((pid_t)worker->pid != pid || !has_main) continue;
    /* A main process whose parent has ended is also a child of the keeper. */
    if (worker->process < 0 || processes_start_time(worker->pid) == worker->start_time) return worker;
  }
  return NULL;
}

bool workers_child_gone(const siginfo_t *info) {
  struct worker *worker = find_child(info->si_pid);
  if (!worker) return false;
  if (worker->state == WORKER_STARTING) {
    /* Its end of the report is closed, so the start is decided now. If the target was executed, `spawned` comes before its
     * end. */
    (void)worker_settle_start(worker);
  }
  child_reap(info->si_pid);
  let_go(worker);
  if (worker->state != WORKER_RUNNING) return true; /* it was never started */
  worker->ending = child_ending(info);
  worker->status = (uint32_t)info->si_status;
  worker_tree_main_ended(worker);
  return true;
}
