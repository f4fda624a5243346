/* Longer than other files, because it is one state machine: each function reads and changes `state`. */
#include "supervisor/supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/facts.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "process/child.h"
#include "process/launch.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "supervisor/batch.h"
#include "supervisor/candidate.h"
#include "supervisor/channel.h"
#include "supervisor/hello.h"
#include "supervisor/program.h"
#include "supervisor/restart_policy.h"
#include "supervisor/tick.h"
#include "worker/workers.h"

enum state {
  ASLEEP,
  STARTING, /* greeted, not attached yet */
  ATTACHED,
  LEAVING, /* was told to sleep */
  DYING,   /* killed or ending, not reaped yet */
  PAUSING, /* a start failed; the next one is later */
};

enum {
  ANSWER_MS = 10 * 1000,
  GOODBYE_MS = 1000,
  SENT_AT_ONCE = 256 * 1024,
  MOST_AFTER_SLEEP = 64,
  ROUND_MS = 1, /* for batches in one round of the loop: as long as a start takes */
};

static void report_ready(struct watcher *watcher);
static void channel_ready(struct watcher *watcher);
static void too_slow(void);

static const struct supervisor_owner *owner;
static struct watcher report_watcher = {.ready = report_ready, .turn = TURN_STARTS};
static struct watcher channel_watcher = {.ready = channel_ready, .turn = TURN_SUPERVISOR};
static struct timer answer = {.expired = too_slow};
static struct timer next_start; /* no callback: supervisor_attend checks whether it is set */
static enum state state = ASLEEP;
static pid_t pid;
static struct report report = {.fd = -1};
static bool wanted;        /* start it even if no event is outstanding */
static bool has_attached;  /* the current one */
static bool ever_attached; /* any one since the keeper's start */
static bool killed_by_us;
static bool is_replaced;  /* it is being killed in favor of the candidate */
static bool is_unsettled; /* it was the candidate, and has sent no batch yet */
static bool is_behind;    /* it has sent more than the last round handled */

void supervisor_is_for(const struct supervisor_owner *whose) {
  owner = whose;
}

static void close_report(void) {
  if (report.fd < 0) return;
  poller_remove(report.fd, &report_watcher);
  (void)close(report.fd);
  report.fd = -1;
}

static void kill_group(void) {
  (void)kill(-pid, SIGKILL);
  (void)kill(pid, SIGKILL);
}

static void kill_it(void) {
  killed_by_us = true;
  state = DYING;
  timer_set(&answer, 0);
  kill_group();
}

/* It has been reaped: nothing of it is left. */
static void forget(void) {
  pid = 0;
  close_report();
  channel_close();
  batch_forget();
  is_behind = false;
  timer_set(&answer, 0);
  state = ASLEEP;
}

static void pause_before_next(uint64_t pause) {
  state = PAUSING;
  timer_set(&next_start, clock_now() + pause);
}

static bool is_at_boot(void) {
  return !ever_attached && workers_alive() == 0;
}

/* The supervisor could not be started, or died before it attached. */
static void start_failed(const char *what) {
  uint64_t pause = restart_policy_start_failed(what, is_at_boot());
  if (pause == 0) owner->hopeless();
  pause_before_next(pause);
}

/* Sends the hello to a new supervisor. */
static void greet(void) {
  state = STARTING;
  wanted = has_attached = killed_by_us = false;
  restart_policy_greeted();
  events_rewind();
  timer_set(&next_start, 0);
  timer_set(&answer, clock_now() + ANSWER_MS);
  if (!hello_write(channel_out(), restart_policy_crashes()) || !channel_send()) kill_it();
}

static void start(void) {
  int end = channel_open(&channel_watcher);
  const char *step = "channel";
  struct report new_report = {.fd = -1};
  pid_t child = end < 0 ? -1 : program_start(program_used(), end, NULL, &new_report, &step);
  (void)descriptors_drop(end);
  if (child < 0) {
    char what[128];
    (void)snprintf(what, sizeof what, "%s: %s", step, strerror(errno));
    channel_close();
    start_failed(what);
    return;
  }
  pid = child;
  report = new_report;
  (void)poller_add(report.fd, &report_watcher, EPOLLIN);
  greet();
}

/* Makes the candidate the supervisor, once the previous one is gone. */
static void promote(void) {
  int channel = -1;
  pid = candidate_take(&channel);
  is_unsettled = true;
  if (!channel_take(channel, &channel_watcher)) kill_it();
  else greet();
}

/* The candidate has presented itself: kills the current supervisor, whose place it takes. */
static void replace(void) {
  if (pid == 0) {
    promote();
    return;
  }
  /* Complete batches that it has sent still count: its channel is read to the end when it is reaped. */
  is_replaced = true;
  kill_group();
}

void supervisor_wake(void) {
  wanted = true;
}

static void read_report(void) {
  char step[REPORT_BYTES];
  int error = 0;
  if (report.fd < 0) return;
  enum launch_result result = launch_read(&report, step, sizeof step, &error);
  if (result == LAUNCH_WAITING) return;
  close_report();
  if (result == LAUNCH_DONE || killed_by_us) return;
  if (is_at_boot()) {
    say("the supervisor cannot be started from %s: %s: %s", program_used()->path, step, strerror(error));
    owner->hopeless();
  }
}

/* The time limit runs while delivered events are not consumed. */
static void set_time_limit(bool answered) {
  bool owes = events_delivered() > events_consumed();
  if (!owes) timer_set(&answer, 0);
  else if (answered || answer.at == 0) timer_set(&answer, clock_now() + ANSWER_MS);
}

static void complain_and_kill(const char *what) {
  say("the supervisor (pid %d) sent %s; it is restarted", (int)pid, what);
  kill_it();
}

static void attach(uint64_t protocol) {
  if (protocol != PROTOCOL_VERSION) {
    complain_and_kill("another protocol version");
    return;
  }
  state = ATTACHED;
  has_attached = ever_attached = true;
  restart_policy_attached();
  set_time_limit(true);
}

static void consider_sleep(uint64_t seen) {
  bool has_news = events_outstanding() > 0 || seen < events_last() || tick_is_due() || batch_is_begun();
  if (has_news) return;
  frame_end(channel_out(), frame_begin(channel_out(), MESSAGE_sleep));
  state = LEAVING;
  timer_set(&answer, clock_now() + ANSWER_MS);
}

static void committed(void) {
  if (is_unsettled) {
    is_unsettled = false;
    restart_policy_forget();
    candidate_settle();
  }
  restart_policy_committed();
  set_time_limit(true);
  owner->committed();
}

/* Messages that were sent before the supervisor read the order to sleep still count. One that keeps sending is killed, because
 * it would keep the keeper busy. */
static void watch_it_leave(void) {
  for (int heard = 0; heard < MOST_AFTER_SLEEP; heard++) {
    enum said said = batch_next(true).said;
    if (said == SAID_GOODBYE) channel_close();
    if (said == SAID_NONSENSE) complain_and_kill(batch_complaint());
    if (said == SAID_COMMIT) owner->committed();
    if (said == SAID_NOTHING || said == SAID_GOODBYE || said == SAID_NONSENSE) return;
  }
  complain_and_kill("more batches after sleep");
}

static void take_batches(uint64_t until) {
  is_behind = false;
  while (!is_behind && (state == STARTING || state == ATTACHED)) {
    struct said_what what = batch_next(has_attached);
    if (what.said == SAID_NOTHING) break;
    if (what.said == SAID_GOODBYE) {
      /* It is ending, and its status follows shortly; or it only closed the channel, and is useless. */
      state = DYING;
      timer_set(&answer, clock_now() + GOODBYE_MS);
    }
    if (what.said == SAID_NONSENSE) complain_and_kill(batch_complaint());
    if (what.said == SAID_ATTACH) attach(what.number);
    if (what.said == SAID_COMMIT) committed();
    if (what.said == SAID_IDLE) consider_sleep(what.number);
    is_behind = clock_now() >= until;
  }
  if (state == LEAVING) watch_it_leave();
  if (state == DYING) channel_close();
}

static void too_slow(void) {
  /* Its answers are waiting here: this process was stopped meanwhile. */
  if (is_behind) {
    timer_set(&answer, clock_now() + ANSWER_MS);
    return;
  }
  if (state == STARTING || state == ATTACHED || state == LEAVING) {
    say("the supervisor (pid %d) has not answered for %d s; it is restarted", (int)pid, ANSWER_MS / 1000);
    kill_it();
  } else if (state == DYING) {
    kill_it();
  }
}

static void report_ready(struct watcher *watcher) {
  (void)watcher;
  read_report();
}

static void channel_ready(struct watcher *watcher) {
  (void)watcher;
  supervisor_go_on();
}

void supervisor_go_on(void) {
  take_batches(clock_now() + ROUND_MS);
}

bool supervisor_is_behind(void) {
  return is_behind;
}

void supervisor_start_candidate(struct reader *command) {
  candidate_start(command, replace);
}

static void tell_death(uint8_t ending, uint32_t status) {
  if (events_count(MESSAGE_supervisorDied) > 0) return; /* the next supervisor gets this event only once */
  uint64_t last = events_delivered();
  post_event(supervisorDied, 0, ending, status, last);
}

static void died(const siginfo_t *info) {
  char what[64];
  bool exited = info->si_code == CLD_EXITED;
  uint8_t ending = child_ending(info);
  if (is_unsettled) {
    is_unsettled = false;
    candidate_fail(ending, (uint32_t)info->si_status);
    wanted = true;
    return;
  }
  bool from_outside = !exited && info->si_status == SIGKILL && !killed_by_us;
  restart_policy_count();
  (void)snprintf(what, sizeof what, exited ? "it exited with status %d" : "it was killed by signal %d", info->si_status);
  if (!has_attached) {
    if (from_outside) pause_before_next(FIRST_PAUSE_MS); /* not its own fault, so the pauses do not grow */
    else start_failed(what);
    return;
  }
  uint64_t pause = restart_policy_died(what, from_outside);
  tell_death(ending, (uint32_t)info->si_status);
  wanted = true;
  if (pause > 0) pause_before_next(pause);
}

bool supervisor_is(pid_t child) {
  return pid > 0 && child == pid;
}

bool supervisor_child_gone(const siginfo_t *info) {
  if (pid == 0 || info->si_pid != pid) return false;
  if (state == STARTING || state == ATTACHED || state == LEAVING) take_batches(UINT64_MAX); /* handles earlier messages */
  if (pid == 0) return true; /* its last batch had a re-exec that failed, which has already reaped it */
  enum state before = state;
  (void)kill(-pid, SIGKILL); /* and its children */
  child_reap(pid);
  read_report();
  forget();
  if (is_replaced) {
    is_replaced = false;
    wanted = true;
    if (candidate_is_present()) promote(); /* if it has ended meanwhile, the previous program is started again */
  } else if (before == LEAVING && info->si_code == CLD_EXITED && !is_unsettled) {
    restart_policy_forget();
    memory_trim();
  } else {
    died(info);
  }
  return true;
}

static void deliver(void) {
  struct buffer *out = channel_out();
  bool one_at_a_time = restart_policy_one_at_a_time();
  bool is_free = !one_at_a_time || events_delivered() <= events_consumed();
  while (is_free && out->length < SENT_AT_ONCE && events_deliver(out)) is_free = !one_at_a_time;
  set_time_limit(false);
}

void supervisor_attend(void) {
  if (state == PAUSING && next_start.at == 0) state = ASLEEP;
  if (state == ASLEEP && (wanted || restart_policy_start_is_owed() || events_outstanding() > 0)) start();
  if (state == ATTACHED) deliver();
  if ((state == STARTING || state == ATTACHED || state == LEAVING) && channel_is_open() && !channel_send()) {
    /* It is gone or ending; its exit status follows. */
    channel_close();
  }
}

void supervisor_end(void) {
  is_replaced = is_unsettled = false;
  candidate_end();
  if (pid == 0) return;
  kill_it();
  child_reap(pid);
  forget();
  wanted = true;
}

void supervisor_save(struct buffer *out) {
  buffer_u32(out, restart_policy_crashes());
  buffer_u8(out, ever_attached ? 1 : 0);
}

bool supervisor_load(struct reader *in) {
  restart_policy_restore(read_u32(in));
  ever_attached = read_u8(in) == 1;
  wanted = true;
  return !in->failed;
}
