/* The table of workers: lookup, their part of the hello, and saving them for the keeper's next image. */
#include "app/clock.h"
#include "loop/poller.h"
#include "process/cgroup.h"
#include "worker/notify.h"
#include "worker/tree.h"
#include "worker/worker.h"

#include <sys/epoll.h>

#include "app/facts.h"
#include "app/memory.h"
#include "output/output.h"
#include "process/processes.h"
#include "protocol/frames.h"
#include "protocol/saved.h"
#include "worker/kin.h"
#include "worker/watchdog.h"
#include "worker/workers.h"

static struct worker **workers;
static uint32_t count;
static uint64_t starts;

struct worker *worker_find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (workers[i]->id == id) return workers[i];
  }
  return NULL;
}

struct worker *worker_add(uint64_t id) {
  workers = memory_grow(workers, count, sizeof *workers);
  struct worker *worker = memory_take_zeroed(sizeof *worker);
  *worker = (struct worker){.id = id, .report.fd = -1, .process = -1, .notify = {.pair = -1, .bound = -1}};
  worker->report_watcher = (struct watcher){.ready = worker_report_ready, .turn = TURN_STARTS};
  worker->process_watcher = (struct watcher){.ready = worker_process_ready, .turn = TURN_PROCESSES};
  workers[count++] = worker;
  return worker;
}

void worker_close_report(struct worker *worker) {
  if (worker->report.fd < 0) return;
  poller_remove(worker->report.fd, &worker->report_watcher);
  (void)close(worker->report.fd);
  worker->report.fd = -1;
}

void worker_release(struct worker *worker) {
  watchdog_end(worker);
  worker_close_report(worker);
  notify_close(&worker->notify);
  worker_tree_release(worker);
  if (worker->process >= 0) {
    poller_remove(worker->process, &worker->process_watcher);
    (void)close(worker->process);
    worker->process = -1;
  }
  if (worker->routed) output_remove(worker->id);
  worker->routed = false;
}

void worker_discard(struct worker *worker) {
  cgroup_remove(kin_cgroup(worker));
  worker_release(worker);
  for (uint32_t i = 0; i < count; i++) {
    if (workers[i] == worker) workers[i] = workers[--count];
  }
  free(worker);
}

uint32_t worker_count(void) {
  return count;
}

struct worker *worker_at(uint32_t index) {
  return workers[index];
}

uint64_t worker_count_start(void) {
  return ++starts;
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
  if (state == WORKER_LINGERING) return 3;
  return state == WORKER_RUNNING ? 1 : 2;
}

void workers_hello(struct buffer *out) {
  for (uint32_t i = 0; i < count; i++) {
    const struct worker *worker = workers[i];
    append_greeting(helloWorker, out, worker->id, worker->pid, worker->start_time, hello_state(worker->state));
  }
}

void workers_leave(void) {
  for (uint32_t i = 0; i < count; i++) notify_close(&workers[i]->notify);
}

/* clang-format off */
#define SAVED(FIELD) \
  FIELD(u32, pid) FIELD(u32, flags) FIELD(u64, start_time) FIELD(u32, state) FIELD(u64, start) FIELD(descriptor, report.fd) \
  FIELD(flag, report.executes) FIELD(descriptor, process) FIELD(flag, routed) FIELD(u8, ending) FIELD(u32, status) \
  FIELD(u64, ended_at)
/* clang-format on */

void workers_save(struct buffer *out) {
  buffer_u64(out, starts);
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    const struct worker *it = workers[i];
    buffer_u64(out, it->id);
    SAVED(SAVE)
    notify_save(&it->notify, out);
  }
}

/* Watches the worker's descriptors again. What happened meanwhile waits in the descriptors and in the pending SIGCHLD. */
static bool resume(struct worker *worker) {
  switch (worker->state) {
    case WORKER_STARTING: return poller_add(worker->report.fd, &worker->report_watcher, EPOLLIN) == 0;
    case WORKER_RUNNING:
      if (worker->process >= 0 && poller_add(worker->process, &worker->process_watcher, EPOLLIN) < 0) return false;
      return notify_watch(worker) == 0;
    case WORKER_LINGERING: return notify_watch(worker) == 0;
    case WORKER_ENDING: worker_tell_end_by(clock_now() + 1); return true;
    case WORKER_TOLD: return true;
  }
  return false;
}

/* Defaults for the state of an earlier version, whose workers have no sessions of their own. */
static void know_kin(struct worker *worker) {
  worker->kin = (struct kin){.keeper = facts->pid, .user = (uint32_t)-1, .began = worker->start_time};
  bool is_child = processes_parent(worker->pid) == (uint32_t)getpid();
  if (worker->process >= 0 && !is_child) worker->flags |= WORKER_ADOPTED;
}

bool workers_load(struct reader *in) {
  starts = read_u64(in);
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct worker *it = worker_add(read_u64(in));
    SAVED(LOAD)
    notify_load(&it->notify, in);
    know_kin(it);
    if (in->failed || !resume(it)) return false;
  }
  return !in->failed;
}
