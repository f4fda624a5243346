#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "descriptors.h"
#include "launch.h"
#include "memory.h"
#include "processes.h"
#include "protocol.h"
#include "urgency.h"
#include "wire.h"

struct order {
  int report;
  int program;
  char *file;
  char **args;
  char *cwd;
  char **environment;
  struct list own_pid;
  struct placement *placements;
  uint32_t placement_count;
  struct list identity;
  struct list limits;
  struct rlimit files;
  mode_t umask;
  bool sets_umask;
  int nice;
  bool sets_nice;
  bool no_new_privs;
  int oom_score;
  int death_signal;
  pid_t keeper;
  uint32_t connect_fd;
  char *connect_path;
};

_Noreturn static void give_up(int report, const char *step) {
  int error = errno;
  char message[REPORT_BYTES] = {REPORT_FAILED};
  size_t length = strlen(step);
  memcpy(message + 1, &error, sizeof error);
  memcpy(message + 1 + sizeof error, step, length);
  ssize_t n = write(report, message, 1 + sizeof error + length);
  _exit(n > 0 ? 127 : 126);
}

static char **read_strings(struct reader *reader, uint32_t more) {
  struct list list = read_texts(reader);
  struct reader items = reader_of(list.data, list.length);
  char **strings = memory_take(((size_t)list.count + more + 1) * sizeof *strings);
  for (uint32_t i = 0; i < list.count; i++) strings[i] = span_text(read_bytes(&items));
  strings[list.count] = NULL;
  return strings;
}

static void read_placements(struct reader *reader, struct order *order) {
  order->placement_count = read_u32(reader);
  if (order->placement_count > LAUNCH_DESCRIPTORS) order->placement_count = LAUNCH_DESCRIPTORS;
  order->placements = memory_take(((size_t)order->placement_count + 1) * sizeof *order->placements);
  for (uint32_t i = 0; i < order->placement_count; i++) {
    order->placements[i].source = read_i32(reader);
    order->placements[i].target = read_u32(reader);
  }
}

static void read_order(struct reader *reader, struct order *order) {
  order->report = read_i32(reader);
  order->program = read_i32(reader);
  order->file = span_text(read_bytes(reader));
  order->args = read_strings(reader, 0);
  order->cwd = span_text(read_bytes(reader));
  struct reader ahead = *reader;
  (void)read_texts(&ahead);
  order->own_pid = read_texts(&ahead);
  order->environment = read_strings(reader, order->own_pid.count);
  (void)read_texts(reader);
  read_placements(reader, order);
  order->identity = read_numbers(reader);
  order->limits = read_numbers(reader);
  order->files.rlim_cur = read_u64(reader);
  order->files.rlim_max = read_u64(reader);
  uint32_t umask_wanted = read_u32(reader);
  order->sets_umask = umask_wanted != UNCHANGED;
  order->umask = (mode_t)(umask_wanted & 0777);
  order->nice = read_i32(reader);
  order->sets_nice = read_u8(reader) == 1;
  order->no_new_privs = read_u8(reader) == 1;
  order->oom_score = read_i32(reader);
  order->death_signal = read_i32(reader);
  order->keeper = (pid_t)read_u32(reader);
  order->connect_fd = read_u32(reader);
  order->connect_path = span_text(read_bytes(reader));
}

static bool has_name(const char *variable, struct span name) {
  return strncmp(variable, (const char *)name.data, name.length) == 0 && variable[name.length] == '=';
}

/* LISTEN_PID and the like: only the process itself can know its pid. */
static void set_own_pid(struct order *order) {
  struct reader names = reader_of(order->own_pid.data, order->own_pid.length);
  for (uint32_t i = 0; i < order->own_pid.count; i++) {
    struct span name = read_bytes(&names);
    size_t room = name.length + 16;
    char *variable = memory_take(room);
    (void)snprintf(variable, room, "%.*s=%d", (int)name.length, (const char *)name.data, (int)getpid());
    uint32_t at = 0;
    while (order->environment[at] && !has_name(order->environment[at], name)) at++;
    if (!order->environment[at]) order->environment[at + 1] = NULL;
    order->environment[at] = variable;
  }
}

/* Above everything that will be a target, so that no placement overwrites what a later one needs. */
static int move_above(int fd, uint32_t highest) {
  return fcntl(fd, F_DUPFD_CLOEXEC, (int)highest + 1);
}

static void place_descriptors(struct order *order) {
  uint32_t highest = order->connect_fd > 2 ? order->connect_fd : 2;
  for (uint32_t i = 0; i < order->placement_count; i++) {
    uint32_t target = order->placements[i].target;
    errno = EBADF;
    if (target > 1024 * 1024) give_up(order->report, "descriptor");
    if (target > highest) highest = target;
  }
  int report = move_above(order->report, highest);
  if (report < 0) give_up(order->report, "descriptor");
  order->report = report;
  if (order->program >= 0) {
    order->program = move_above(order->program, highest);
    if (order->program < 0) give_up(report, "descriptor");
  }
  for (uint32_t i = 0; i < order->placement_count; i++) {
    int moved = move_above(order->placements[i].source, highest);
    if (moved < 0) give_up(report, "descriptor");
    order->placements[i].source = moved;
  }
  /* What came through the exec beside 0, 1 and 2 is copied by now, the payload is read: all of it goes. */
  if (descriptors_close_range(3, highest) < 0) give_up(report, "descriptor");
  for (uint32_t i = 0; i < order->placement_count; i++) {
    if (dup2(order->placements[i].source, (int)order->placements[i].target) < 0) give_up(report, "descriptor");
  }
  if (descriptors_mark_from(highest + 1) < 0) give_up(report, "descriptor");
}

static void set_oom_score(const struct order *order) {
  if (order->oom_score == INHERITED_OOM_SCORE) return;
  char line[16];
  int length = snprintf(line, sizeof line, "%d", order->oom_score);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) give_up(order->report, "oom-score");
  if (write(fd, line, (size_t)length) < 0) give_up(order->report, "oom-score");
  (void)close(fd);
}

static void set_nice(const struct order *order) {
  errno = 0;
  if (order->sets_nice) (void)setpriority(PRIO_PROCESS, 0, order->nice);
  else if (order->nice != 0) (void)nice(order->nice); /* -1 is a level, too */
  if (errno != 0) give_up(order->report, "nice");
}

static rlim_t limit_of(uint64_t value) {
  return value >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)value;
}

static void set_limits(const struct order *order) {
  if (setrlimit(RLIMIT_NOFILE, &order->files) < 0) give_up(order->report, "limit");
  for (uint32_t i = 0; i + 2 < order->limits.count; i += 3) {
    struct rlimit limit = {.rlim_cur = limit_of(list_number(&order->limits, i + 1)),
                           .rlim_max = limit_of(list_number(&order->limits, i + 2))};
    if (syscall(SYS_prlimit64, 0, (int)list_number(&order->limits, i), &limit, NULL) < 0) give_up(order->report, "limit");
  }
}

/* What crank's session keyring holds (keyrings(7)) is crank's user's, and a process of another user would possess it. Made before
 * the user is another one, whose quota may be full. A kernel without keys has none to hide; where a filter forbids the call,
 * as containers' do, the worker cannot ask for them either. */
static void leave_keyring(const struct order *order) {
  if (order->identity.count < 2) return;
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) return;
  if (errno != ENOSYS && errno != EPERM && errno != EACCES) give_up(order->report, "keyring");
}

/* Lets the keeper, and what it starts, take descriptors with this user's rights where Yama asks for an ancestor (Yama.rst). */
static void allow_keeper(const struct order *order) {
  if (order->identity.count >= 2) (void)prctl(PR_SET_PTRACER, (unsigned long)order->keeper, 0, 0, 0); /* EINVAL: no Yama */
}

static void set_identity(const struct order *order) {
  const struct list *identity = &order->identity;
  if (identity->count < 2) return;
  uint32_t groups = identity->count - 2;
  gid_t *list = memory_take(((size_t)groups + 1) * sizeof *list);
  for (uint32_t i = 0; i < groups; i++) list[i] = (gid_t)list_number(identity, i + 2);
  uid_t uid = (uid_t)list_number(identity, 0);
  gid_t gid = (gid_t)list_number(identity, 1);
  if (setgroups(groups, list) < 0) give_up(order->report, "setgroups");
  if (setresgid(gid, gid, gid) < 0) give_up(order->report, "setgid");
  if (setresuid(uid, uid, uid) < 0) give_up(order->report, "setuid");
}

/* As itself, so that its credentials are what the other end sees (unix(7)). */
static void connect_socket(const struct order *order) {
  if (order->connect_fd == 0) return;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(order->connect_path);
  int target = (int)order->connect_fd;
  errno = ENAMETOOLONG;
  if (length >= sizeof address.sun_path) give_up(order->report, "connect");
  memcpy(address.sun_path, order->connect_path, length);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  bool placed = connected && (fd == target ? fcntl(fd, F_SETFD, 0) : dup2(fd, target)) >= 0;
  if (!placed) give_up(order->report, "connect");
}

static void reset_signals(int report) {
  for (int signal_number = 1; signal_number <= SIGRTMAX; signal_number++) {
    /* By the kernel's own call: glibc's refuses the two signals that it keeps for itself, and who started us may have
     * left them ignored. All zero is SIG_DFL, without flags and mask. SIGKILL and SIGSTOP are refused. */
    static const uint64_t plain[4];
    (void)syscall(SYS_rt_sigaction, signal_number, plain, NULL, 8);
  }
  sigset_t none;
  (void)sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) give_up(report, "signals");
}

/* Last but the exec: setuid and the like take it away again (prctl(2)). */
static void set_death_signal(const struct order *order) {
  if (order->death_signal == 0) return;
  if (prctl(PR_SET_PDEATHSIG, order->death_signal) < 0) give_up(order->report, "death-signal");
  if (getppid() != order->keeper) _exit(127); /* the keeper was gone already */
}

_Noreturn static void execute(const struct order *order) {
  uint64_t start_time = processes_own_start_time();
  char mark[1 + sizeof start_time] = {REPORT_EXECUTES};
  memcpy(mark + 1, &start_time, sizeof start_time);
  (void)!write(order->report, mark, sizeof mark);
  if (order->program >= 0) {
    (void)execveat(order->program, "", order->args, order->environment, AT_EMPTY_PATH);
    /* A script cannot be executed by descriptor, for its interpreter would look for it after it was closed. */
  }
  (void)execve(order->file, order->args, order->environment);
  give_up(order->report, "exec");
}

_Noreturn void shim_run(const char *payload) {
  int fd = atoi(payload);
  off_t size = lseek(fd, 0, SEEK_END);
  if (size <= 0) _exit(126);
  void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) _exit(126);
  struct reader reader = reader_of(bytes, (size_t)size);
  struct order order = {0};
  read_order(&reader, &order);
  if (reader.failed) _exit(126);

  set_own_pid(&order);
  place_descriptors(&order);
  set_oom_score(&order);
  if (order.program < 0) urgency_drop();
  else urgency_stand_back();
  set_nice(&order);
  set_limits(&order);
  if (order.sets_umask) (void)umask(order.umask);
  leave_keyring(&order);
  set_identity(&order);
  connect_socket(&order);
  if (order.cwd[0] != '\0' && chdir(order.cwd) < 0) give_up(order.report, "chdir");
  allow_keeper(&order);
  if (order.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(order.report, "no-new-privs");
  set_death_signal(&order);
  reset_signals(order.report);
  execute(&order);
}
