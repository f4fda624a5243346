/* The process between the keeper and the started program: forked, so only async-signal-safe calls. It sets itself up step by
 * step; the keeper waits for none of the steps before the exec.
 *
 * Until the exec it has a copy of the keeper's memory, without the heap (memory_fork). So as another user it must allow no debugger and no core dump. */
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "app/descriptors.h"
#include "app/facts.h"
#include "process/launch_child.h"
#include "process/processes.h"
#include "protocol/protocol.h"

/* Maximum user or group id: the next number means "unchanged" (setresuid(2)), so the process would stay root. */
#define MOST_ID (UINT32_MAX - 1)

_Noreturn static void give_up(int report, const char *step) {
  int error = errno;
  char message[REPORT_BYTES] = {REPORT_FAILED};
  size_t length = strlen(step);
  memcpy(message + 1, &error, sizeof error);
  memcpy(message + 1 + sizeof error, step, length);
  ssize_t n = write(report, message, 1 + sizeof error + length);
  _exit(n > 0 ? 127 : 126);
}

/* Until the last step: a signal from another user must not make it dump core before core dumps are disabled. */
static void block_signals(void) {
  sigset_t all;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static void set_groups(const struct launch *launch) {
  if (launch->cgroup > 0) (void)!write(launch->cgroup, "0", 1);
  if (launch->own_session) (void)setsid();
  else if (launch->own_group) (void)setpgid(0, 0);
}

static void set_own_pid(const struct order *order) {
  char digits[PID_DIGITS];
  char *first = digits + sizeof digits - 1;
  *first = '\0';
  for (pid_t rest = getpid(); rest > 0; rest /= 10) *--first = (char)('0' + rest % 10);
  for (uint32_t i = 0; i < order->launch.own_pid.count; i++) strcpy(order->own_pid[i], first);
}

/* Moves a descriptor above all targets, so that no placement overwrites the source of a later one. */
static int move_above(int fd, uint32_t highest) {
  return fcntl(fd, F_DUPFD_CLOEXEC, (int)highest + 1);
}

/* Closes the keeper's descriptors first: the keeper's locks must not outlive it while a step here waits, and its descriptors
 * must not count against the limit. */
static void keep_only(const struct order *order) {
  const struct launch *launch = &order->launch;
  int kept[LAUNCH_DESCRIPTORS + 2] = {order->report, launch->program};
  for (uint32_t i = 0; i < launch->placement_count; i++) kept[i + 2] = launch->placements[i].source;
  if (descriptors_close_but(kept, launch->placement_count + 2) < 0) give_up(order->report, "descriptor");
}

/* The usual descriptor limit (fs.nr_open). */
enum { MOST_TARGET = 1024 * 1024 };

static int place_descriptors(struct order *order) {
  const struct launch *launch = &order->launch;
  struct placement *placements = launch->placements;
  uint32_t highest = launch->connect_fd > 2 ? launch->connect_fd : 2;
  errno = EBADF;
  if (highest > MOST_TARGET) give_up(order->report, "descriptor");
  for (uint32_t i = 0; i < launch->placement_count; i++) {
    uint32_t target = placements[i].target;
    errno = EBADF;
    if (target > MOST_TARGET) give_up(order->report, "descriptor");
    if (target > highest) highest = target;
  }
  int report = move_above(order->report, highest);
  if (report < 0) give_up(order->report, "descriptor");
  order->report = report;
  int program = launch->program < 0 ? -1 : move_above(launch->program, highest);
  if (launch->program >= 0 && program < 0) give_up(report, "descriptor");
  for (uint32_t i = 0; i < launch->placement_count; i++) {
    int moved = move_above(placements[i].source, highest);
    if (moved < 0) give_up(report, "descriptor");
    placements[i].source = moved;
  }
  /* All sources except 0, 1 and 2 are copied by now. */
  if (descriptors_close_range(3, highest) < 0) give_up(report, "descriptor");
  for (uint32_t i = 0; i < launch->placement_count; i++) {
    if (dup2(placements[i].source, (int)placements[i].target) < 0) give_up(report, "descriptor");
  }
  if (descriptors_mark_from(highest + 1) < 0) give_up(report, "descriptor");
  return program;
}

static void set_oom_score(const struct order *order) {
  if (order->oom_score[0] == '\0') return;
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) give_up(order->report, "oom-score");
  if (write(fd, order->oom_score, strlen(order->oom_score)) < 0) give_up(order->report, "oom-score");
  (void)close(fd);
}

static void set_nice(const struct order *order) {
  const struct launch *launch = &order->launch;
  int added = launch->nice + facts->raised_by;
  errno = 0;
  if (launch->sets_nice) (void)setpriority(PRIO_PROCESS, 0, launch->nice);
  else if (added != 0) (void)nice(added); /* -1 is also a valid nice value */
  if (errno != 0) give_up(order->report, "nice");
}

static rlim_t limit_of(uint64_t value) {
  return value >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)value;
}

static void set_limits(const struct order *order) {
  const struct list *limits = &order->launch.limits;
  if (setrlimit(RLIMIT_NOFILE, &facts->files) < 0) give_up(order->report, "limit");
  for (uint32_t i = 0; i + 2 < limits->count; i += 3) {
    struct rlimit limit = {.rlim_cur = limit_of(list_number(limits, i + 1)), .rlim_max = limit_of(list_number(limits, i + 2))};
    if (syscall(SYS_prlimit64, 0, (int)list_number(limits, i), &limit, NULL) < 0) give_up(order->report, "limit");
  }
}

/* Crank's session keyring (keyrings(7)) belongs to crank's user, and a process of another user would possess it. The new
 * keyring is created before the user changes, whose quota may be full. Without keys in the kernel there is nothing to hide. If
 * a filter forbids the call, as in containers, the worker cannot use keys either. */
static void leave_keyring(const struct order *order) {
  if (order->launch.identity.count < 2) return;
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) return;
  if (errno != ENOSYS && errno != EPERM && errno != EACCES) give_up(order->report, "keyring");
}

/* If Yama restricts ptrace(2) to ancestors, this lets the keeper and its children take descriptors with this user's rights
 * (Yama.rst). */
static void allow_keeper(const struct order *order) {
  if (order->launch.identity.count >= 2) (void)prctl(PR_SET_PTRACER, (unsigned long)facts->pid, 0, 0, 0); /* EINVAL: no Yama */
}

/* System calls, because the C library's functions would signal the keeper's other threads, which do not exist here
 * (nptl(7)). */
static void set_identity(const struct order *order) {
  const struct list *identity = &order->launch.identity;
  if (identity->count < 2) return;
  errno = EINVAL;
  for (uint32_t i = 0; i < identity->count; i++) {
    if (list_number(identity, i) > MOST_ID) give_up(order->report, i == 0 ? "setuid" : i == 1 ? "setgid" : "setgroups");
  }
  uid_t uid = (uid_t)list_number(identity, 0);
  gid_t gid = (gid_t)list_number(identity, 1);
  if (syscall(SYS_setgroups, (size_t)identity->count - 2, order->groups) < 0) give_up(order->report, "setgroups");
  if (syscall(SYS_setresgid, gid, gid, gid) < 0) give_up(order->report, "setgid");
  if (syscall(SYS_setresuid, uid, uid, uid) < 0) give_up(order->report, "setuid");
  /* Until the exec: no ptrace(2), no /proc/PID/mem and no core dump, independent of fs.suid_dumpable, which the calls above
   * apply. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) give_up(order->report, "setuid");
}

/* Connects after the change of user, so that the peer sees the worker's credentials (unix(7)). */
static void connect_socket(const struct order *order) {
  if (order->launch.connect_fd == 0) return;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(order->launch.connect_path);
  int target = (int)order->launch.connect_fd;
  errno = ENAMETOOLONG;
  if (length >= sizeof address.sun_path) give_up(order->report, "connect");
  memcpy(address.sun_path, order->launch.connect_path, length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  bool placed = connected && (fd == target ? fcntl(fd, F_SETFD, 0) : dup2(fd, target)) >= 0;
  if (!placed) give_up(order->report, "connect");
}

static void reset_signals(int report) {
  for (int signal_number = 1; signal_number <= SIGRTMAX; signal_number++) {
    /* A system call, because glibc's function refuses the two signals that glibc reserves, and the parent of the keeper may
     * have ignored them. All zero is SIG_DFL, without flags and mask. SIGKILL and SIGSTOP are refused. */
    static const uint64_t plain[4];
    (void)syscall(SYS_rt_sigaction, signal_number, plain, NULL, 8);
  }
  sigset_t none;
  (void)sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) give_up(report, "signals");
}

/* Set last, because setuid and similar calls clear it (prctl(2)). */
static void set_death_signal(const struct order *order) {
  if (order->launch.death_signal == 0) return;
  if (prctl(PR_SET_PDEATHSIG, order->launch.death_signal) < 0) give_up(order->report, "death-signal");
  if ((uint32_t)getppid() != facts->pid) _exit(127); /* the keeper has already ended */
}

_Noreturn static void execute(const struct order *order, int program) {
  uint64_t start_time = processes_own_start_time();
  char mark[1 + sizeof start_time] = {REPORT_EXECUTES};
  memcpy(mark + 1, &start_time, sizeof start_time);
  (void)!write(order->report, mark, sizeof mark);
  if (program >= 0) {
    (void)descriptors_execute(program, order->launch.file, order->args, order->environment);
    /* A script cannot be executed by descriptor: the interpreter would open it after it is closed. */
  }
  (void)execve(order->launch.file, order->args, order->environment);
  give_up(order->report, "exec");
}

_Noreturn void launch_become(struct order *order) {
  const struct launch *launch = &order->launch;
  block_signals();
  set_groups(launch);
  keep_only(order);
  set_own_pid(order);
  int program = place_descriptors(order);
  set_oom_score(order);
  set_nice(order);
  set_limits(order);
  if (launch->umask != UNCHANGED) (void)umask((mode_t)(launch->umask & 0777));
  leave_keyring(order);
  set_identity(order);
  connect_socket(order);
  if (launch->cwd[0] != '\0' && chdir(launch->cwd) < 0) give_up(order->report, "chdir");
  allow_keeper(order);
  if (launch->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(order->report, "no-new-privs");
  set_death_signal(order);
  reset_signals(order->report);
  execute(order, program);
}
