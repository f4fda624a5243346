#include "loop/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "app/clock.h"
#include "connections/streams.h"
#include "journal/journal.h"
#include "main/commands.h"
#include "main/signals.h"
#include "output/output.h"
#include "process/peek.h"
#include "sockets/fetch.h"
#include "sockets/handles.h"
#include "sockets/heartbeat.h"
#include "sockets/names.h"
#include "sockets/sockets.h"
#include "supervisor/candidate.h"
#include "supervisor/supervisor.h"
#include "supervisor/tick.h"
#include "worker/tree.h"
#include "worker/watchdog.h"
#include "worker/workers.h"

enum { AT_ONCE = 128, WATCH_SHIFT = 56 };

static int epoll = -1;

int loop_open(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  return epoll < 0 ? -1 : 0;
}

static int control(int operation, int fd, enum watch watch, uint64_t id, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = (uint64_t)watch << WATCH_SHIFT | id}};
  return epoll_ctl(epoll, operation, fd, &event);
}

int loop_watch(int fd, enum watch watch, uint64_t id, uint32_t events) {
  return control(EPOLL_CTL_ADD, fd, watch, id, events);
}

int loop_change(int fd, enum watch watch, uint64_t id, uint32_t events) {
  return control(EPOLL_CTL_MOD, fd, watch, id, events);
}

void loop_forget(int fd) {
  (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void take_output(void) {
  uint64_t id;
  while (output_next_drained(&id)) workers_output_drained(id);
  while (output_next_ready(&id)) streams_output_ready(id);
}

static void take_deadlines(void) {
  clock_clear();
  if (clock_take(DEADLINE_EXITS)) workers_tell_late_exits();
  if (clock_take(DEADLINE_FETCH)) fetch_expire();
  if (clock_take(DEADLINE_TREES)) worker_trees_check();
  if (clock_take(DEADLINE_STREAMS)) streams_expire();
  if (clock_take(DEADLINE_ACCEPT)) streams_accept_again();
  if (clock_take(DEADLINE_HEARTBEAT)) heartbeat_beat();
  if (clock_take(DEADLINE_WATCHDOG)) watchdog_check();
  if (clock_take(DEADLINE_JOURNAL)) journal_try_disk();
  if (clock_take(DEADLINE_NAMES)) names_expire();
  if (clock_take(DEADLINE_ANSWER)) supervisor_too_slow();
  if (clock_take(DEADLINE_CANDIDATE)) candidate_too_late();
  (void)clock_take(DEADLINE_RESTART); /* supervisor_attend sees that it is gone */
  if (clock_take(DEADLINE_TICK)) tick_expired();
}

static void take(enum watch watch, uint64_t id, uint32_t events) {
  switch (watch) {
    case WATCH_STARTING:
      if (id == 0) supervisor_report_ready();
      else workers_report_ready(id);
      return;
    case WATCH_PAIR:
      workers_datagram_ready(id, 0);
      return;
    case WATCH_PATH:
      workers_datagram_ready(id, 1);
      return;
    case WATCH_FETCH:
      fetch_ready(id);
      return;
    case WATCH_SIGNALS:
      signals_read();
      return;
    case WATCH_NAMES:
      names_ready();
      return;
    case WATCH_PROCESS:
      workers_process_gone(id);
      return;
    case WATCH_MEMBER:
      worker_tree_member_gone(id);
      return;
    case WATCH_OUTPUT:
      take_output();
      return;
    case WATCH_SOCKET:
      sockets_check(id);
      return;
    case WATCH_LISTENER:
      streams_listener_ready(id);
      return;
    case WATCH_PEER:
      handles_hung_up(id);
      return;
    case WATCH_CONNECTION:
      streams_ready(id, events);
      return;
    case WATCH_CHANNEL:
      supervisor_channel_ready();
      return;
    case WATCH_CANDIDATE:
      if (id == 0) candidate_ready();
      else candidate_report_ready();
      return;
    case WATCH_TIMER:
      take_deadlines();
      return;
    case WATCHES:
      return;
  }
}

/* What waits besides a tick: readiness and ends come before the time that they had. */
static void sweep(void) {
  workers_sweep();
  signals_collect_children();
}

_Noreturn void loop_run(void) {
  struct epoll_event ready[AT_ONCE];
  for (;;) {
    commands_check_barriers();
    tick_consider(sweep);
    supervisor_attend();
    clock_arm();
    int count = epoll_wait(epoll, ready, AT_ONCE, peek_is_open() || supervisor_is_behind() ? 0 : -1);
    if (count == 0 && !supervisor_is_behind()) peek_close();
    if (count < 0) continue; /* EINTR, after SIGSTOP and SIGCONT; nothing else can happen to a valid descriptor */
    for (int kind = 0; kind < WATCHES; kind++) {
      for (int i = 0; i < count; i++) {
        uint64_t data = ready[i].data.u64;
        if ((int)(data >> WATCH_SHIFT) != kind) continue;
        take((enum watch)kind, data & ((1ULL << WATCH_SHIFT) - 1), ready[i].events);
      }
      if (kind == WATCH_CHANNEL && supervisor_is_behind()) supervisor_channel_ready();
    }
  }
}
