#include "worker/tree.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#include "app/clock.h"
#include "app/facts.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "process/pipeline.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "worker/kill.h"
#include "worker/kin.h"
#include "worker/notify.h"
#include "worker/watchdog.h"

enum {
  MOST_MEMBERS = 64, /* watched processes of one adopted worker; the others follow when these are gone */
  AGAIN_MS = 200,    /* retry, if none of them can be watched */
  READ_ON_MS = 1000, /* time for a pipe reader after its last writer is gone */
};

void worker_tree_begin(struct worker *worker) {
  bool has_session = (worker->flags & SPAWN_GROUP) != 0;
  worker->kin.session = has_session ? worker->pid : 0;
  worker->kin.keeper = facts->pid;
  worker->kin.user = (uint32_t)-1;
  worker->kin.began = worker->start_time;
  if (!(worker->flags & SPAWN_HELPER)) kin_note_start(worker->start_time, has_session);
}

/* Use the session only if it is certainly the worker's: an earlier crank's worker may be in that crank's session, and the
 * number of an ended process may be reused. */
static uint32_t session_of(const struct worker *worker) {
  struct process main;
  bool is_alive = processes_look(worker->pid, &main) && main.start_time == worker->start_time;
  if (is_alive && main.session == worker->pid) return main.session;
  uint32_t session = is_alive ? main.session : worker->pid;
  return kin_is_session_of(worker, session) ? session : 0;
}

void worker_tree_adopt(struct worker *worker, uint32_t keeper, uint64_t generation, uint32_t user) {
  worker->flags |= WORKER_ADOPTED;
  worker->kin = (struct kin){.keeper = keeper, .generation = generation, .user = user, .began = worker->start_time};
  worker->kin.session = session_of(worker);
}

static uint32_t count_rest(const struct worker *worker, const struct tree *tree) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < tree->count; i++)
    count += !processes_has_ended(&tree->list[i]) && !kill_is_main(worker, &tree->list[i]) ? 1 : 0;
  return count;
}

uint32_t worker_tree_rest(struct worker *worker) {
  struct tree tree = kin_of(worker);
  uint32_t count = count_rest(worker, &tree);
  tree_free(&tree);
  return count;
}

int worker_tree_signal(struct worker *worker, int signal_number) {
  int error = 0;
  if (signal_number == SIGKILL) {
    bool is_first = !worker->is_killed;
    (void)kill_worker(worker, &error);
    errno = error;
    return error != 0 && is_first ? -1 : 0;
  }
  struct tree tree = kin_of(worker);
  tree_free(&worker->spared);
  if (worker->state == WORKER_LINGERING) worker->spared = pipeline_readers(&tree);
  worker->signal = (uint32_t)signal_number;
  worker->spared_until = 0;
  for (uint32_t i = 0; i < tree.count; i++) {
    const struct process *process = &tree.list[i];
    if (processes_has_ended(process) || tree_holds(&worker->spared, process)) continue;
    if (kill_send(worker, process, signal_number) < 0 && errno != ESRCH) error = errno;
  }
  tree_free(&tree);
  errno = error;
  return error == 0 ? 0 : -1;
}

static void forget_members(struct worker *worker) {
  for (uint32_t i = 0; i < worker->member_count; i++) {
    poller_remove(worker->members[i].process, &worker->members[i].watcher);
    (void)close(worker->members[i].process);
  }
  worker->member_count = 0;
  free(worker->members);
  worker->members = NULL;
}

void worker_tree_release(struct worker *worker) {
  forget_members(worker);
  tree_free(&worker->spared);
}

static struct timer next_look = {.expired = worker_trees_check};

static void check(struct worker *worker);

static void member_ready(struct watcher *watcher) {
  struct worker *worker = WATCHER_OWNER(watcher, struct member, watcher)->worker;
  if (worker->state == WORKER_LINGERING) check(worker);
  else forget_members(worker);
}

static void watch_members(struct worker *worker) {
  forget_members(worker);
  if (!(worker->flags & WORKER_ADOPTED)) return;
  struct tree tree = kin_of(worker);
  worker->members = memory_take_zeroed(MOST_MEMBERS * sizeof *worker->members);
  for (uint32_t i = 0; i < tree.count && worker->member_count < MOST_MEMBERS; i++) {
    struct member *member = &worker->members[worker->member_count];
    int process = processes_open(tree.list[i].pid, tree.list[i].start_time);
    if (process < 0) continue;
    *member = (struct member){.watcher = {.ready = member_ready, .turn = TURN_PROCESSES}, .worker = worker, .process = process};
    if (poller_add(process, &member->watcher, EPOLLIN) == 0) worker->member_count++;
    else (void)close(process);
  }
  tree_free(&tree);
  if (worker->member_count == 0) timer_set_by(&next_look, clock_now() + AGAIN_MS);
}

static void finish(struct worker *worker) {
  forget_members(worker);
  bool is_helper = (worker->flags & SPAWN_HELPER) != 0;
  if (!is_helper) cgroup_remove(kin_cgroup(worker));
  worker_begin_end(worker);
  if (is_helper || !kin_has_strays()) return;
  /* Its remaining orphans belong to no other worker. */
  kill_left();
}

static void tell_main_exited(const struct worker *worker, uint32_t rest) {
  events_happened_at(worker->ended_at);
  post_event(mainExited, worker->id, worker->id, worker->pid, worker->ending, worker->status, rest);
}

bool worker_tree_adopt_rest(struct worker *worker) {
  worker->ended_at = clock_now();
  uint32_t rest = worker_tree_rest(worker);
  if (rest == 0) return false;
  worker_tell_spawned(worker);
  tell_main_exited(worker, rest);
  watch_members(worker);
  return true;
}

/* No earlier message of the worker can change its main process any more. */
static void decide(struct worker *worker) {
  worker->is_undecided = false;
  bool is_ended_at_once = worker->is_killed || worker->flags & SPAWN_HELPER;
  if (is_ended_at_once) {
    if (kill_worker(worker, NULL) == 0) finish(worker);
    else watch_members(worker);
    return;
  }
  uint32_t rest = worker_tree_rest(worker);
  if (rest == 0) {
    finish(worker);
    return;
  }
  tell_main_exited(worker, rest);
  watch_members(worker);
}

/* False only if no worker is undecided, so that a batch does not look at all of a large fleet. */
static bool may_be_undecided = true;

static bool waits_to_move(const struct worker *worker) {
  return worker->notify.names_main > events_consumed() || worker_is_receiving(worker);
}

void worker_tree_main_ended(struct worker *worker) {
  worker->state = WORKER_LINGERING;
  worker->ended_at = clock_now();
  watchdog_end(worker);
  /* If the worker named another living process as its main one, that process becomes the worker if the supervisor accepts
   * it. */
  notify_finish(worker);
  worker->is_undecided = waits_to_move(worker);
  if (worker->is_undecided) may_be_undecided = true;
  else decide(worker);
}

/* Spared processes get their signal when nothing writes to them any more and they do not end by themselves. */
static void signal_spared(struct worker *worker) {
  struct tree tree = kin_of(worker);
  bool reads = false;
  for (uint32_t i = 0; i < worker->spared.count; i++) {
    const struct process *process = &worker->spared.list[i];
    if (tree_holds(&tree, process) && pipeline_reads(&tree, process)) reads = true;
  }
  tree_free(&tree);
  if (reads) return;
  uint64_t now = clock_now();
  if (worker->spared_until == 0) worker->spared_until = now + READ_ON_MS;
  if (now < worker->spared_until) {
    timer_set_by(&next_look, worker->spared_until);
    return;
  }
  for (uint32_t i = 0; i < worker->spared.count; i++) {
    const struct process *process = &worker->spared.list[i];
    (void)processes_signal(process->pid, process->start_time, (int)worker->signal);
  }
  tree_free(&worker->spared);
}

static void check(struct worker *worker) {
  if (worker->is_undecided) return;
  if (!worker->is_killed && worker->spared.count > 0) signal_spared(worker);
  uint32_t left = worker->is_killed ? kill_worker(worker, NULL) : worker_tree_rest(worker);
  if (left == 0) finish(worker);
  else if (worker->flags & WORKER_ADOPTED) watch_members(worker);
}

void worker_trees_check(void) {
  if (next_look.at != 0 && next_look.at <= clock_now()) timer_set(&next_look, 0);
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (worker->state == WORKER_LINGERING) check(worker);
  }
}

void worker_trees_decide(void) {
  if (!may_be_undecided) return;
  may_be_undecided = false;
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (!worker->is_undecided || worker->state != WORKER_LINGERING) continue;
    if (waits_to_move(worker)) may_be_undecided = true;
    else decide(worker);
  }
}
