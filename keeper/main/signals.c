#include "main/signals.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "loop/poller.h"
#include "process/child.h"
#include "process/peek.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "reexec/dry_run.h"
#include "sockets/fetch.h"
#include "supervisor/candidate.h"
#include "supervisor/supervisor.h"
#include "worker/tree.h"
#include "worker/workers.h"

enum { MOST_OUTSTANDING = 256 };

static void signals_ready(struct watcher *watcher);

static int signal_fd = -1;
static struct watcher watcher = {.ready = signals_ready, .turn = TURN_SIGNALS};

/* All but Ctrl-Z and the signals of faults in this process. */
static sigset_t blocked_signals(void) {
  static const int left_alone[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGTSTP};
  sigset_t set;
  (void)sigfillset(&set);
  for (size_t i = 0; i < sizeof left_alone / sizeof *left_alone; i++) (void)sigdelset(&set, left_alone[i]);
  return set;
}

void signals_block(void) {
  sigset_t set = blocked_signals();
  (void)sigprocmask(SIG_SETMASK, &set, NULL);
  /* A signal that is ignored at the start (nohup) would never arrive at the descriptor. */
  static const int told[] = {SIGHUP,  SIGTERM, SIGINT,  SIGQUIT,  SIGUSR1, SIGUSR2,
                             SIGTTIN, SIGTTOU, SIGALRM, SIGWINCH, SIGCONT, SIGCHLD};
  struct sigaction plain = {.sa_handler = SIG_DFL};
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) (void)sigaction(told[i], &plain, NULL);
  struct sigaction ignored = {.sa_handler = SIG_IGN};
  (void)sigaction(SIGPIPE, &ignored, NULL);
}

int signals_open(void) {
  sigset_t set = blocked_signals();
  (void)sigdelset(&set, SIGPIPE);
  signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return signal_fd < 0 ? -1 : poller_add(signal_fd, &watcher, EPOLLIN);
}

static void tell(const struct signalfd_siginfo *info) {
  if (events_count(MESSAGE_signalled) >= MOST_OUTSTANDING) return;
  post_event(signalled, 0, info->ssi_signo, info->ssi_pid, info->ssi_uid);
}

bool signals_is_own_child(uint32_t pid) {
  pid_t number = (pid_t)pid;
  return supervisor_is(number) || candidate_is(number) || dry_run_is(number) || fetch_has_child(pid) || peek_has_child(pid);
}

/* Returns whether a process has ended that may belong to a worker. */
static bool reap_all(void) {
  bool has_ended = false;
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
      if (errno == EINTR) continue;
      return has_ended;
    }
    if (info.si_pid == 0) return has_ended;
    if (peek_child_gone(&info)) continue;
    has_ended = true;
    bool is_known = supervisor_child_gone(&info) || candidate_child_gone(&info) || dry_run_child_gone(&info) ||
                    fetch_child_gone(&info) || workers_child_gone(&info);
    if (is_known) continue;
    /* a worker's orphan or a failed start */
    child_reap(info.si_pid);
  }
}

void signals_collect_children(void) {
  /* Checking the trees starts a reader process, whose end must not trigger another check. */
  if (reap_all()) worker_trees_check();
}

static void signals_ready(struct watcher *self) {
  (void)self;
  struct signalfd_siginfo info;
  for (;;) {
    ssize_t n = read(signal_fd, &info, sizeof info);
    if (n < 0 && errno == EINTR) continue;
    if (n != (ssize_t)sizeof info) break;
    if (info.ssi_signo != SIGCHLD) tell(&info);
  }
  signals_collect_children();
}
