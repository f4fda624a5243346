#include "main/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/clock.h"
#include "app/environment.h"
#include "app/facts.h"
#include "app/memory.h"
#include "connections/streams.h"
#include "einhorn/process_title.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "loop/loop.h"
#include "main/commands.h"
#include "main/kernel.h"
#include "main/signals.h"
#include "output/output.h"
#include "protocol/events.h"
#include "protocol/protocol.h"
#include "reexec/dry_run.h"
#include "reexec/reexec.h"
#include "sockets/handles.h"
#include "sockets/inherited.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "worker/notify.h"
#include "worker/tree.h"
#include "worker/workers.h"

enum { FLUSH_OUTPUT_MS = 2000, FLUSH_STREAMS_MS = 1000 };

static void event_gone(const struct gone *gone) {
  if (gone->code == MESSAGE_datagram) {
    notify_descriptors_gone(gone->descriptors);
    workers_datagram_consumed(gone->source);
  }
  if (gone->code == MESSAGE_exited || gone->code == MESSAGE_spawnFailed) workers_end_consumed(gone->source);
  if (gone->code == MESSAGE_closed) streams_accept_again();
  if (gone->code == MESSAGE_line) streams_line_consumed(gone->source, gone->size);
}

_Noreturn static void cannot_start(const char *what) {
  say("cannot start: %s: %s", what, strerror(errno));
  exit(1);
}

static void open_everything(void) {
  if (loop_open() < 0) cannot_start("epoll");
  int timer = clock_open();
  if (timer < 0 || loop_watch(timer, WATCH_TIMER, 0, EPOLLIN) < 0) cannot_start("timer");
  int signals = signals_open();
  if (signals < 0 || loop_watch(signals, WATCH_SIGNALS, 0, EPOLLIN) < 0) cannot_start("signals");
  if (journal_start(facts->boot_id) < 0) cannot_start("journal");
  /* The first process of a container is one without asking. */
  if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) cannot_start("subreaper");
  events_on_gone(event_gone);
}

static void start_output(void) {
  if (output_start() < 0) cannot_start("output");
  if (loop_watch(output_eventfd(), WATCH_OUTPUT, 0, EPOLLIN) < 0) cannot_start("output");
  say_through(output_log);
}

_Noreturn void keeper_run(int argc, char **argv) {
  memory_setup();
  argv = process_title_start(argc, argv);
  int state = reexec_left_state();
  /* First: it says what to do where there is no /proc. */
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
    if (reexec_is_dry_run()) output_stop(); /* what is to be written is the other's to write */
    enum resumed resumed = reexec_resume(state);
    if (reexec_is_dry_run()) exit(resumed);
    if (resumed != RESUME_DONE) {
      /* Nothing is lost but this process: the next crank adopts what runs. */
      say("the state that the keeper before this one left cannot be understood; it ends, start crank again to adopt its workers");
      exit(1);
    }
    /* Who is executed by a descriptor is called by its number (execveat(2)). */
    (void)prctl(PR_SET_NAME, facts_name(facts->path));
    signals_dead_mans_alarm(0);
    start_output();
    signals_collect_children();
  } else {
    start_output();
    if (program_use_own() < 0) cannot_start("program");
    supervisor_wake();
  }
  loop_run();
}

_Noreturn void keeper_leave(int status, bool keep_journal) {
  dry_run_end();
  supervisor_end();
  (void)output_flush(FLUSH_OUTPUT_MS);
  streams_flush(FLUSH_STREAMS_MS);
  if (!keep_journal) worker_trees_end();
  workers_leave();
  if (!keep_journal) journal_delete();
  handles_close_all(); /* who gets the locks next finds the addresses free */
  /* Without its journal, the lock says to the next crank that there is something to look for. */
  if (!keep_journal || journal_keep()) lock_leave();
  exit(status);
}

void keeper_end_if_asked(void) {
  struct ending ending = commands_take_ending();
  if (ending.exits) keeper_leave((int)ending.status, ending.keeps_journal);
  if (!ending.execute) return;
  reexec_run(ending.execute);
  free(ending.execute);
}
