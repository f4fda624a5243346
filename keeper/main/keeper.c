#include "main/keeper.h"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include "app/environment.h"
#include "app/facts.h"
#include "app/memory.h"
#include "app/priority.h"
#include "connections/accept.h"
#include "connections/streams.h"
#include "einhorn/base.h"
#include "einhorn/process_title.h"
#include "einhorn/wrapper.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "main/commands.h"
#include "main/kernel.h"
#include "main/signals.h"
#include "main/state.h"
#include "output/output.h"
#include "process/peek.h"
#include "protocol/events.h"
#include "protocol/protocol.h"
#include "reexec/dry_run.h"
#include "reexec/reexec.h"
#include "sockets/fetch.h"
#include "sockets/handles.h"
#include "sockets/inherited.h"
#include "sockets/names.h"
#include "sockets/sockets.h"
#include "supervisor/batch.h"
#include "supervisor/candidate.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "supervisor/tick.h"
#include "worker/kill.h"
#include "worker/kin.h"
#include "worker/notify.h"
#include "worker/workers.h"

enum { FLUSH_OUTPUT_MS = 2000, FLUSH_STREAMS_MS = 1000 };

static void event_gone(const struct gone *gone) {
  if (gone->code == MESSAGE_datagram) {
    notify_descriptors_gone(gone->descriptors);
    workers_datagram_consumed(gone->source);
  }
  if (gone->code == MESSAGE_exited || gone->code == MESSAGE_spawnFailed) workers_end_consumed(gone->source);
  if (gone->code == MESSAGE_closed) accept_again();
  if (gone->code == MESSAGE_line) streams_line_consumed(gone->source, gone->size);
}

_Noreturn static void cannot_start(const char *what) {
  say("cannot start: %s: %s", what, strerror(errno));
  exit(1);
}

static void open_everything(void) {
  if (poller_open() < 0) cannot_start("epoll");
  if (timer_open() < 0) cannot_start("timer");
  if (signals_open() < 0) cannot_start("signals");
  if (journal_start(facts->boot_id) < 0) cannot_start("journal");
  /* The first process of a container is one anyway. */
  if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) cannot_start("subreaper");
}

static void output_ready(struct watcher *watcher) {
  uint64_t id;
  (void)watcher;
  while (output_next_drained(&id)) workers_output_drained(id);
  while (output_next_ready(&id)) streams_output_ready(id);
}

static void start_output(void) {
  static struct watcher watcher = {.ready = output_ready, .turn = TURN_OUTPUT};
  if (output_start() < 0) cannot_start("output");
  if (poller_add(output_eventfd(), &watcher, EPOLLIN) < 0) cannot_start("output");
  say_through(output_log);
}

/* Before a tick, pending readiness and exits are handled, so that they come before the deadlines that the tick checks. */
static void sweep(void) {
  workers_sweep();
  signals_collect_children();
}

_Noreturn static void loop(void) {
  for (;;) {
    commands_check_barriers();
    tick_consider(sweep);
    supervisor_attend();
    timer_arm();
    int count = poller_wait(peek_is_open() || supervisor_is_behind() ? 0 : -1);
    if (supervisor_is_behind()) supervisor_go_on();
    else if (count == 0) peek_close();
  }
}

_Noreturn static void leave(int status, bool keep_journal) {
  dry_run_end();
  supervisor_end();
  (void)output_flush(FLUSH_OUTPUT_MS);
  streams_flush(FLUSH_STREAMS_MS);
  if (!keep_journal) kill_left_at_end();
  workers_leave();
  if (!keep_journal) journal_delete();
  handles_close_all(); /* the next holder of the locks finds the addresses free */
  /* If the journal could not be kept, the lock file tells the next crank that it must look for workers. */
  if (!keep_journal || journal_keep()) lock_leave();
  exit(status);
}

_Noreturn static void leave_without_supervisor(void) {
  leave(1, false);
}

static void re_execute(const char *path) {
  const char *step = reexec_look_ahead(path);
  int error = errno;
  if (!step) {
    fetch_settle();
    output_stop();
    dry_run_end();
    supervisor_end();
    step = reexec_run(path);
    error = errno;
    (void)output_start();
  }
  events_failed(COMMAND_execute, 0, step, error);
}

static void end_if_asked(void) {
  struct ending ending = commands_take_ending();
  if (ending.exits) leave((int)ending.status, ending.keeps_journal);
  if (!ending.execute) return;
  re_execute(ending.execute);
  free(ending.execute);
}

/* Connects the parts by callbacks: they do not include each other. */
static void connect_parts(void) {
  static const struct batch_handler commands = {.run = commands_run, .end = commands_end_batch};
  static const struct supervisor_owner keeper = {.committed = end_if_asked, .hopeless = leave_without_supervisor};
  static const struct handles_owner sockets = {
      .connection_waits = accept_waiting, .may_be_shut = sockets_check, .closed = names_forget};
  static const struct fetch_owner workers = {.received = workers_take_datagram,
                                             .finished = workers_fetched,
                                             .has_room = workers_fetch_again,
                                             .took_notify_end = workers_lead_notify};
  static const struct wrapping einhorn = {.start = wrapper_start, .is_base = base_is_valid, .settled = base_take};
  batch_is_for(&commands);
  supervisor_is_for(&keeper);
  candidate_is_wrapped_by(&einhorn);
  handles_are_for(&sockets);
  streams_start();
  fetch_is_for(&workers);
  kin_leaves_out(signals_is_own_child);
  events_on_gone(event_gone);
  reexec_keeps(state_parts);
}

_Noreturn void keeper_run(int argc, char **argv) {
  memory_setup();
  connect_parts();
  argv = process_title_start(argc, argv);
  int state = reexec_left_state();
  /* First, because it reports a missing /proc. */
  if (!facts_collect(argc, argv)) exit(1);
  if (state < 0 && inherited_collect() < 0) cannot_start("descriptors");
  environment_start(environ);
  if (state < 0) {
    if (!kernel_serves() || !facts_have_directory()) exit(1);
    facts_take_precedence();
    signals_block();
  }
  open_everything();
  if (state >= 0) {
    if (reexec_is_dry_run()) output_stop(); /* only the real keeper writes the queued output */
    enum resumed resumed = reexec_resume(state);
    if (reexec_is_dry_run()) exit(resumed);
    if (resumed != RESUME_DONE) {
      /* Only this process is lost: the next crank adopts the running workers. */
      say("the state of the previous keeper cannot be read; start crank again to adopt the workers");
      exit(1);
    }
    /* A program that is executed by descriptor gets its number as its name (execveat(2)). */
    (void)prctl(PR_SET_NAME, facts_name(facts->path));
    reexec_dead_mans_alarm(0);
    priority_forget_slice();
    start_output();
    signals_collect_children();
  } else {
    start_output();
    if (program_use_own() < 0) cannot_start("program");
    supervisor_wake();
  }
  loop();
}
