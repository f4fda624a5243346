#include "worker/kill.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "app/clock.h"
#include "process/processes.h"
#include "process/tree.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "worker/kin.h"

enum {
  MOST_ROUNDS = 16, /* per kill; what forks faster is killed again when the first of them have ended */
  MOST_NAMED = 32,  /* processes whose command lines are reported after a kill */
  COMMAND_BYTES = 200,
  LEAVE_MS = 5000, /* how long the keeper's exit waits for killed processes */
};

bool kill_is_main(const struct worker *worker, const struct process *process) {
  return worker->state != WORKER_LINGERING && process->pid == worker->pid;
}

/* The killed processes, and those that could not be killed. */
struct kills {
  struct tree done;
  uint32_t refused;
  int error;
  uint32_t count; /* processes to report; the first of them with pid and command */
  uint32_t named;
  struct buffer pids;
  struct buffer commands;
};

/* Kills the whole process group, including processes that are just being forked: every member is in the worker's session. */
static void kill_group(const struct worker *worker, const struct process *process) {
  bool is_its_own = worker && kin_is_in_session(worker, process);
  if (is_its_own && process->group > 1 && process->group != (uint32_t)getpgrp()) (void)kill(-(pid_t)process->group, SIGKILL);
}

int kill_send(const struct worker *worker, const struct process *process, int signal_number) {
  bool is_unreaped = worker && worker->process < 0 && kill_is_main(worker, process);
  if (is_unreaped) return kill((pid_t)process->pid, signal_number);
  return processes_signal(process->pid, process->start_time, signal_number);
}

static bool kill_one(struct kills *kills, const struct worker *worker, const struct process *process, bool is_named) {
  char command[COMMAND_BYTES] = "";
  if (is_named && kills->named < MOST_NAMED) processes_command(process->pid, command, sizeof command);
  int result = kill_send(worker, process, SIGKILL);
  (void)tree_take(&kills->done, process);
  if (result < 0 && errno != ESRCH) {
    kills->refused++;
    kills->error = errno;
  }
  if (result < 0) return false;
  if (!is_named) return true;
  kills->count++;
  if (kills->named == MOST_NAMED) return true;
  kills->named++;
  buffer_u64(&kills->pids, process->pid);
  buffer_text(&kills->commands, command);
  return true;
}

static struct tree look(struct worker *worker) {
  return worker ? kin_of(worker) : kin_left();
}

/* Kills all processes of a worker, or (NULL) the orphans of workers that are gone. Returns how many still have to end. */
static uint32_t kill_all(struct worker *worker, struct kills *kills) {
  uint32_t left = 0;
  for (int round = 0; round < MOST_ROUNDS; round++) {
    struct tree tree = look(worker);
    bool is_new = false;
    left = 0;
    for (uint32_t i = 0; i < tree.count; i++) {
      const struct process *process = &tree.list[i];
      if (processes_has_ended(process)) continue;
      left++;
      if (tree_holds(&kills->done, process)) continue;
      if (kill_one(kills, worker, process, !worker || !kill_is_main(worker, process))) is_new = true;
      kill_group(worker, process);
    }
    tree_free(&tree);
    if (!is_new) break;
  }
  return left > kills->refused ? left - kills->refused : 0;
}

static void tell_killed(uint64_t worker, const struct kills *kills) {
  if (kills->count == 0) return;
  struct list pids = {.data = kills->pids.data, .length = kills->pids.length, .count = kills->named};
  struct list commands = {.data = kills->commands.data, .length = kills->commands.length, .count = kills->named};
  post_event(killed, worker, worker, kills->count, pids, commands);
}

static void free_kills(struct kills *kills) {
  tree_free(&kills->done);
  buffer_free(&kills->pids);
  buffer_free(&kills->commands);
}

uint32_t kill_worker(struct worker *worker, int *error) {
  struct kills kills = {0};
  uint32_t left = kill_all(worker, &kills);
  /* Kills what forks faster than it is found. */
  if (left > 0) cgroup_kill(kin_cgroup(worker));
  bool is_helper = (worker->flags & SPAWN_HELPER) != 0;
  if (!worker->is_killed && !is_helper) tell_killed(worker->id, &kills);
  if (error) *error = kills.error;
  worker->is_killed = true;
  free_kills(&kills);
  return left;
}

void kill_left(void) {
  struct kills kills = {0};
  (void)kill_all(NULL, &kills);
  tell_killed(0, &kills);
  free_kills(&kills);
}

/* Reaps all ended children. */
static void reap(void) {
  siginfo_t info = {0};
  for (;;) {
    info.si_pid = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno == EINTR) continue;
    if (info.si_pid == 0) return;
  }
}

void kill_left_at_end(void) {
  sigset_t children;
  (void)sigemptyset(&children);
  (void)sigaddset(&children, SIGCHLD);
  const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
  struct kills kills = {0};
  for (uint64_t until = clock_now() + LEAVE_MS; clock_now() < until; (void)sigtimedwait(&children, NULL, &moment)) {
    uint32_t left = kill_all(NULL, &kills);
    for (uint32_t i = 0; i < worker_count(); i++) {
      struct worker *worker = worker_at(i);
      bool is_over = worker->state == WORKER_LINGERING || worker->flags & SPAWN_HELPER;
      if (is_over && worker->state != WORKER_TOLD && worker->state != WORKER_ENDING) left += kill_all(worker, &kills);
    }
    reap();
    if (left == 0) break;
  }
  free_kills(&kills);
}
