#include "supervisor/candidate.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "loop/poller.h"
#include "loop/timer.h"
#include "process/child.h"
#include "process/launch.h"
#include "process/processes.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "supervisor/program.h"

enum phase { BEFORE_PRESENT = 0, TOO_LATE = 1, BEFORE_COMMIT = 2 };
enum { READ_BYTES = 4096, AFTER_ITS_END_MS = 10 * 1000 };

static void channel_ready(struct watcher *watcher);
static void report_ready(struct watcher *watcher);
static void too_late(void);

static struct watcher channel_watcher = {.ready = channel_ready, .turn = TURN_SUPERVISOR};
static struct watcher report_watcher = {.ready = report_ready, .turn = TURN_SUPERVISOR};
static struct timer patience = {.expired = too_late};
static const struct wrapping *wrapping;
static void (*when_present)(void);
static struct program program = NO_PROGRAM;
static int channel = -1;
static pid_t pid;     /* the started process; 0 once it is reaped */
static pid_t speaker; /* the process that presents itself as the supervisor */
static bool has_forked;
static bool is_present;
static bool is_wrapped;
static struct report report = {.fd = -1};
static struct buffer in;
static struct buffer base; /* a complete `base` frame, which a wrapped candidate sends first */
static uint8_t last_ending;
static uint32_t last_status;

void candidate_is_wrapped_by(const struct wrapping *how) {
  wrapping = how;
}

static void close_report(void) {
  if (report.fd < 0) return;
  poller_remove(report.fd, &report_watcher);
  (void)close(report.fd);
  report.fd = -1;
}

static void close_channel(void) {
  if (channel < 0) return;
  poller_remove(channel, &channel_watcher);
  (void)close(channel);
  channel = -1;
}

/* Removes the candidate completely. It kills the group too, because a child may live on there. */
static void forget(void) {
  timer_set(&patience, 0);
  close_report();
  close_channel();
  if (pid > 0) {
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL); /* reaped as an unknown child */
  }
  pid = speaker = 0;
  is_present = false;
  buffer_free(&in);
  buffer_free(&base);
  program_close(&program);
}

static void tell_kept(enum phase phase, uint8_t ending, uint32_t status) {
  forget();
  post_event(supervisorKept, 0, (uint8_t)phase, ending, status);
}

static void fail_start(const char *step, int error) {
  forget();
  events_failed(COMMAND_replaceSupervisor, 0, step, error);
}

/* Opens both ends. SO_PASSCRED: the kernel tells which process writes at the other end (unix(7)). */
static int open_pair(int *theirs) {
  int ends[2];
  int on = 1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) return -1;
  bool ready = setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0;
  if (ready) ready = poller_add(ends[0], &channel_watcher, EPOLLIN) == 0;
  *theirs = ready ? ends[1] : descriptors_drop(ends[1]);
  return ready ? ends[0] : descriptors_drop(ends[0]);
}

static pid_t start_directly(int end, const char **step) {
  SCOPED_BUFFER pair = {0};
  buffer_text(&pair, CANDIDATE_VARIABLE);
  buffer_text(&pair, "1");
  struct list variables = {.data = pair.data, .length = pair.length, .count = 1};
  return program_start(&program, end, &variables, &report, step);
}

static void launch_it(const struct command_replaceSupervisor *command) {
  const char *step = "channel";
  int end = -1;
  channel = open_pair(&end);
  pid_t started = -1;
  if (channel >= 0 && is_wrapped) started = wrapping->start(command, end, &report, &step);
  else if (channel >= 0) started = start_directly(end, &step);
  (void)descriptors_drop(end);
  if (started < 0) {
    fail_start(step, errno);
    return;
  }
  pid = started;
  has_forked = is_present = false;
  last_ending = 0;
  last_status = 0;
  (void)poller_add(report.fd, &report_watcher, EPOLLIN);
  timer_set(&patience, command->patience_ms > 0 ? clock_now() + command->patience_ms : 0);
}

void candidate_start(struct reader *fields, void (*present)(void)) {
  struct command_replaceSupervisor command = read_replaceSupervisor(fields);
  SCOPED_TEXT path = span_text(command.runtime);
  bool is_free = channel < 0 && program.fd < 0;
  if (!is_free) {
    events_failed(COMMAND_replaceSupervisor, 0, "candidate", EBUSY);
  } else if (program_open(&program, path) < 0) {
    fail_start("runtime", errno);
  } else {
    is_wrapped = command.file.length > 0;
    when_present = present;
    launch_it(&command);
  }
}

static void read_report(void) {
  char step[REPORT_BYTES];
  int error = 0;
  if (report.fd < 0) return;
  enum launch_result result = launch_read(&report, step, sizeof step, &error);
  if (result == LAUNCH_WAITING) return;
  close_report();
  if (result == LAUNCH_FAILED && !is_present) fail_start(step, error);
}

/* The code of the first frame in `in`; 0 if it is not complete, NONSENSE if it is not allowed here. */
enum { NONSENSE = 255 };
static uint8_t next_frame(size_t *length) {
  if (in.length < 5) return 0;
  struct reader reader = reader_of(in.data, in.length);
  *length = 4 + (size_t)read_u32(&reader);
  uint8_t code = read_u8(&reader);
  bool is_known = (code == COMMAND_present && *length == 5) || (code == COMMAND_base && is_wrapped && base.length == 0);
  if (!is_known || *length < 5 || *length > LIMIT_FRAME_BYTES) return NONSENSE;
  return in.length < *length ? 0 : code;
}

static bool take_base(size_t length) {
  if (!wrapping->is_base(in.data + 5, length - 5)) return false;
  buffer_add(&base, in.data, length);
  buffer_drop(&in, length);
  return true;
}

/* Kills the processes between the keeper and the speaker. The keeper is the subreaper, so the speaker becomes its child. False
 * if the speaker does not descend from the keeper, which then could not see its end. */
static bool end_those_between(void) {
  enum { MOST = 16 };
  pid_t between[MOST];
  int count = 0;
  pid_t above = (pid_t)processes_parent((uint32_t)speaker);
  while (above > 0 && above != getpid() && count < MOST) {
    between[count++] = above;
    above = (pid_t)processes_parent((uint32_t)above);
  }
  if (above != getpid()) return false;
  for (int i = 0; i < count; i++) (void)kill(between[i], SIGKILL);
  return true;
}

static void arrive(void) {
  timer_set(&patience, 0);
  if (speaker == 0) speaker = pid; /* the speaker's pid is not visible in this namespace */
  if (speaker == 0 || !end_those_between()) {
    tell_kept(BEFORE_PRESENT, last_ending, last_status);
    return;
  }
  is_present = true;
  has_forked = speaker != pid;
  pid = speaker;
  int off = 0;
  (void)setsockopt(channel, SOL_SOCKET, SO_PASSCRED, &off, sizeof off);
  poller_remove(channel, &channel_watcher);
  when_present();
}

static void note_speaker(struct msghdr *message) {
  struct cmsghdr *part = CMSG_FIRSTHDR(message);
  if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) return;
  struct ucred sender;
  memcpy(&sender, CMSG_DATA(part), sizeof sender);
  if (sender.pid > 0) speaker = sender.pid;
}

/* Reads what is available. False if the other end is closed. */
static bool receive(void) {
  for (;;) {
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct ucred))];
    buffer_reserve(&in, READ_BYTES);
    struct iovec part = {.iov_base = in.data + in.length, .iov_len = in.capacity - in.length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (n == 0) return false;
    note_speaker(&message);
    in.length += (size_t)n;
    if (in.length > LIMIT_FRAME_BYTES) return true; /* next_frame detects that it is too long */
  }
}

static void read_channel(void) {
  if (channel < 0 || is_present) return;
  bool is_there = receive();
  for (;;) {
    size_t length = 0;
    uint8_t code = next_frame(&length);
    if (code == 0) break;
    if (code == COMMAND_present) {
      arrive();
      return;
    }
    if (code == NONSENSE || !take_base(length)) {
      tell_kept(BEFORE_PRESENT, last_ending, last_status);
      return;
    }
  }
  if (is_there) return;
  poller_remove(channel, &channel_watcher);
  /* If the process is ending, its status follows shortly. If it only closed the channel, it has failed as well. */
  if (pid > 0) timer_set(&patience, clock_now() + 1000);
  else tell_kept(BEFORE_PRESENT, last_ending, last_status);
}

static void channel_ready(struct watcher *watcher) {
  (void)watcher;
  read_channel();
}

static void report_ready(struct watcher *watcher) {
  (void)watcher;
  read_report();
}

static void too_late(void) {
  if (channel < 0 || is_present) return;
  tell_kept(TOO_LATE, 1, SIGKILL);
}

bool candidate_is(pid_t child) {
  return pid > 0 && child == pid;
}

bool candidate_child_gone(const siginfo_t *info) {
  if (pid == 0 || info->si_pid != pid) return false;
  read_report();
  if (pid == 0) return true; /* the start failed; reaped as an unknown child */
  child_reap(pid);
  pid = 0;
  last_ending = child_ending(info);
  last_status = (uint32_t)info->si_status;
  if (!is_present) {
    bool was_alone = channel >= 0;
    read_channel(); /* handles frames from before its end */
    /* Another of its processes still has the channel: a wrapper has forked, or that process will never present itself. So set a
     * time limit. */
    if (was_alone && channel >= 0 && !is_present && patience.at == 0) timer_set(&patience, clock_now() + AFTER_ITS_END_MS);
    return true;
  }
  tell_kept(BEFORE_COMMIT, last_ending, last_status);
  return true;
}

bool candidate_is_present(void) {
  return is_present;
}

pid_t candidate_take(int *taken) {
  *taken = channel;
  channel = -1;
  close_report();
  pid = 0;
  is_present = false;
  buffer_free(&in);
  return speaker;
}

void candidate_settle(void) {
  program_use(&program);
  if (base.length > 0) wrapping->settled(reader_of(base.data + 5, base.length - 5));
  buffer_free(&base);
  post_event(supervisorReplaced, 0, (uint32_t)speaker, has_forked);
  speaker = 0;
}

void candidate_fail(uint8_t ending, uint32_t status) {
  tell_kept(BEFORE_COMMIT, ending, status);
}

void candidate_end(void) {
  pid_t process = pid;
  forget();
  if (process > 0) child_reap(process);
}
