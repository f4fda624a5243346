#include "main/commands.h"

#include "app/descriptors.h"
#include "app/environment.h"
#include "app/memory.h"
#include "connections/accept.h"
#include "connections/streams.h"
#include "einhorn/process_title.h"
#include "journal/journal.h"
#include "journal/lock.h"
#include "output/output.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "reexec/dry_run.h"
#include "sockets/fetch.h"
#include "sockets/handles.h"
#include "sockets/heartbeat.h"
#include "sockets/names.h"
#include "sockets/sockets.h"
#include "supervisor/program.h"
#include "supervisor/supervisor.h"
#include "supervisor/tick.h"
#include "worker/tree.h"
#include "worker/watchdog.h"
#include "worker/workers.h"

struct barrier {
  uint64_t token;
  uint64_t start; /* reached when all starts up to this one are decided */
  uint64_t fetch; /* and all descriptors up to this one are taken; a re-exec has none in progress */
};

static struct barrier *barriers;
static uint32_t barrier_count;
static bool has_wrong_program; /* in this batch, so that it does not re-exec */
static struct ending ending;

static void open_journal(struct reader *fields) {
  SCOPED_TEXT path = span_text(read_openJournal(fields).path);
  const char *step = "";
  if (journal_move(path, &step) < 0) events_failed(COMMAND_openJournal, 0, step, errno);
}

static void take_journal(struct reader *fields) {
  SCOPED_TEXT path = span_text(read_takeJournal(fields).path);
  const char *step = "";
  if (journal_take(path, &step) < 0) events_failed(COMMAND_takeJournal, 0, step, errno);
}

static void take_lock(struct reader *fields) {
  struct command_lock command = read_lock(fields);
  SCOPED_TEXT path = span_text(command.path);
  const char *step = "";
  if (lock_take(path, &step) < 0) events_failed(COMMAND_lock, command.id, step, errno);
}

static void set_base(struct reader *fields) {
  struct command_setBase command = read_setBase(fields);
  environment_set(&command.env, &command.unset);
}

static void route_output(struct reader *fields) {
  struct command_routeOutput command = read_routeOutput(fields);
  SCOPED_TEXT header = span_text(command.header);
  if (output_format(command.format, command.sink, command.address, header) < 0)
    events_failed(COMMAND_routeOutput, 0, "output", errno);
}

static void write_log(struct reader *fields) {
  struct command_log command = read_log(fields);
  int result = output_log(command.sink, (const char *)command.bytes.data, command.bytes.length);
  if (result < 0) events_failed(COMMAND_log, command.sink, "log", errno);
}

static void add_barrier(struct reader *fields) {
  barriers = memory_resize(barriers, ((size_t)barrier_count + 1) * sizeof *barriers);
  barriers[barrier_count++] =
      (struct barrier){.token = read_barrier(fields).token, .start = workers_starts(), .fetch = fetch_begun()};
}

static void tell_mark(struct reader *fields) {
  post_event(reached, 0, read_mark(fields).token);
}

static void copy_journal(struct reader *fields) {
  uint64_t handle = read_copyJournal(fields).handle;
  int copy = journal_copy();
  const char *step = copy < 0 ? "memory" : "handle";
  if (copy >= 0 && handles_add(handle, copy, 0) == 0) return;
  events_failed(COMMAND_copyJournal, handle, step, errno);
  (void)descriptors_drop(copy);
}

static void set_program(struct reader *fields) {
  struct program program = NO_PROGRAM;
  SCOPED_TEXT path = span_text(read_setProgram(fields).runtime);
  if (program_open(&program, path) == 0) {
    program_use(&program);
  } else {
    events_failed(COMMAND_setProgram, 0, "runtime", errno);
    has_wrong_program = true;
  }
}

static void set_process_title(struct reader *fields) {
  process_title_set(read_setTitle(fields).title);
}

static void ask_for_exit(struct reader *fields) {
  struct command_exit command = read_exit(fields);
  ending.exits = true;
  ending.status = command.status & 0xff;
  ending.keeps_journal = command.keep_journal == 1;
}

static void ask_for_execution(struct reader *fields) {
  free(ending.execute);
  ending.execute = has_wrong_program ? NULL : span_text(read_execute(fields).path);
}

static void close_handle(struct reader *fields) {
  handles_close(read_closeHandle(fields).handle);
}

static void (*const carry_out[256])(struct reader *fields) = {
    [COMMAND_openJournal] = open_journal,
    [COMMAND_takeJournal] = take_journal,
    [COMMAND_lock] = take_lock,
    [COMMAND_copyJournal] = copy_journal,
    [COMMAND_openSocket] = sockets_open,
    [COMMAND_inheritSocket] = sockets_inherit,
    [COMMAND_statSocket] = sockets_stat,
    [COMMAND_closeHandle] = close_handle,
    [COMMAND_openDatagram] = sockets_open_datagram,
    [COMMAND_sendDatagram] = workers_send,
    [COMMAND_keepDescriptor] = sockets_keep,
    [COMMAND_takeDescriptor] = fetch_descriptor,
    [COMMAND_storeHandle] = sockets_store,
    [COMMAND_sendDescriptors] = workers_send_descriptors,
    [COMMAND_watchName] = names_watch,
    [COMMAND_removeName] = names_remove,
    [COMMAND_giveName] = names_give,
    [COMMAND_bindAgain] = names_bind_again,
    [COMMAND_keepBacklog] = sockets_keep_backlog,
    [COMMAND_spawn] = workers_spawn,
    [COMMAND_signal] = workers_signal,
    [COMMAND_adopt] = workers_adopt,
    [COMMAND_setBase] = set_base,
    [COMMAND_watchdog] = watchdog_set,
    [COMMAND_followMain] = workers_follow_main,
    [COMMAND_acceptOn] = accept_lines,
    [COMMAND_acceptHeads] = accept_heads,
    [COMMAND_write] = streams_write,
    [COMMAND_follow] = streams_follow,
    [COMMAND_routeOutput] = route_output,
    [COMMAND_log] = write_log,
    [COMMAND_heartbeat] = heartbeat_set,
    [COMMAND_barrier] = add_barrier,
    [COMMAND_setProgram] = set_program,
    [COMMAND_execute] = ask_for_execution,
    [COMMAND_exit] = ask_for_exit,
    [COMMAND_mark] = tell_mark,
    [COMMAND_replaceSupervisor] = supervisor_start_candidate,
    [COMMAND_rehearse] = dry_run_start,
    [COMMAND_setTitle] = set_process_title,
};

void commands_run(uint8_t code, struct reader *fields) {
  if (carry_out[code]) carry_out[code](fields);
}

void commands_end_batch(uint64_t tick_at) {
  has_wrong_program = false;
  tick_set(tick_at);
  worker_trees_decide();
  commands_check_barriers();
}

void commands_check_barriers(void) {
  uint32_t reached = 0;
  while (reached < barrier_count && workers_started_up_to(barriers[reached].start) &&
         fetch_taken_up_to(barriers[reached].fetch)) {
    post_event(reached, 0, barriers[reached].token);
    reached++;
  }
  if (reached == 0) return;
  barrier_count -= reached;
  for (uint32_t i = 0; i < barrier_count; i++) barriers[i] = barriers[i + reached];
  if (barrier_count > 0) return;
  free(barriers);
  barriers = NULL;
}

struct ending commands_take_ending(void) {
  struct ending taken = ending;
  ending = (struct ending){0};
  return taken;
}

void commands_save(struct buffer *out) {
  buffer_u32(out, barrier_count);
  for (uint32_t i = 0; i < barrier_count; i++) {
    buffer_u64(out, barriers[i].token);
    buffer_u64(out, barriers[i].start);
  }
}

bool commands_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    barriers = memory_resize(barriers, ((size_t)barrier_count + 1) * sizeof *barriers);
    barriers[barrier_count] = (struct barrier){.token = read_u64(in)};
    barriers[barrier_count++].start = read_u64(in);
  }
  return !in->failed;
}
