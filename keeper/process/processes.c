#include "process/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "app/descriptors.h"
#include "app/memory.h"
#include "process/peek.h"
#include "protocol/protocol.h"

enum { PATH_ROOM = 64, MOST_INODES = 16384 };
enum { FIELD_STATE = 3, FIELD_PARENT = 4, FIELD_GROUP = 5, FIELD_SESSION = 6, FIELD_START = 22 };

/* Reads a file of a process as a text. Returns the length; 0 if it cannot be read. */
static size_t read_file(uint32_t pid, const char *name, char *text, size_t room) {
  char path[PATH_ROOM];
  (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
  return descriptors_read_text(path, text, room);
}

/* Parses /proc/PID/stat. The second field is the name in parentheses, which may contain anything, so fields are counted after
 * the last ')'. */
static bool parse(const char *text, struct process *process) {
  const char *at = strrchr(text, ')');
  *process = (struct process){0};
  for (int field = FIELD_STATE; at && field <= FIELD_START; field++) {
    at = strchr(at + 1, ' ');
    if (!at) break;
    if (field == FIELD_STATE) process->state = at[1];
    else if (field == FIELD_PARENT) process->parent = (uint32_t)strtoul(at + 1, NULL, 10);
    else if (field == FIELD_GROUP) process->group = (uint32_t)strtoul(at + 1, NULL, 10);
    else if (field == FIELD_SESSION) process->session = (uint32_t)strtoul(at + 1, NULL, 10);
    else if (field == FIELD_START) process->start_time = strtoull(at + 1, NULL, 10);
  }
  return process->start_time != 0;
}

/* Identifies a process whose start time cannot be read now: the inode of its pidfd, which is unique until the next boot (pidfs,
 * since Linux 6.9), with a mark that no start time has. */
static uint64_t stand_in(uint32_t pid) {
  struct stat status;
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  bool has_inode = fd >= 0 && fstat(fd, &status) == 0;
  uint64_t inode = has_inode ? status.st_ino : 1;
  if (fd >= 0) (void)close(fd);
  return PROCESS_HELD_UP | inode;
}

bool processes_look_beside(uint32_t pid, uint64_t start_time, struct process *process) {
  char text[1024];
  (void)read_file(pid, "status", text, sizeof text);
  const char *state = strstr(text, "\nState:\t");
  const char *parent = strstr(text, "\nPPid:\t");
  *process = (struct process){.pid = pid, .start_time = start_time};
  if (!state || !parent) return false;
  process->state = state[8];
  process->parent = (uint32_t)strtoul(parent + 7, NULL, 10);
  process->session = processes_session(pid);
  pid_t group = getpgid((pid_t)pid);
  process->group = group > 0 ? (uint32_t)group : 0;
  return true;
}

uint32_t processes_session(uint32_t pid) {
  pid_t session = getsid((pid_t)pid);
  return session > 0 ? (uint32_t)session : 0;
}

static bool look_at(uint32_t pid, const char *text, size_t length, struct process *process) {
  if (length == 0 && peek_is_held_up(pid)) return processes_look_beside(pid, stand_in(pid), process);
  bool is_there = parse(text, process);
  process->pid = pid;
  return is_there;
}

bool processes_look(uint32_t pid, struct process *process) {
  char text[1024];
  size_t length = peek_file(pid, "stat", text, sizeof text - 1);
  text[length] = '\0';
  return look_at(pid, text, length, process);
}

struct looks {
  struct process *found;
  uint32_t count;
};

static void take_look(void *context, uint32_t pid, const char *text, size_t length) {
  struct looks *looks = context;
  if (look_at(pid, text, length, &looks->found[looks->count])) looks->count++;
}

uint32_t processes_look_at_all(const uint32_t *pids, uint32_t count, struct process *found) {
  struct looks looks = {.found = found};
  peek_stats(pids, count, take_look, &looks);
  return looks.count;
}

bool processes_are_one(uint64_t start_time, uint64_t other) {
  if (start_time == 0 || other == 0) return false;
  return start_time == other || ((start_time | other) & PROCESS_HELD_UP && !(start_time & other & PROCESS_HELD_UP));
}

bool processes_has_ended(const struct process *process) {
  return process->state == 'Z' || process->state == 'X';
}

uint64_t processes_start_time(uint32_t pid) {
  struct process process;
  return processes_look(pid, &process) ? process.start_time : 0;
}

uint64_t processes_own_start_time(void) {
  char text[1024];
  struct process process;
  (void)read_file((uint32_t)getpid(), "stat", text, sizeof text);
  return parse(text, &process) ? process.start_time : 0;
}

uint32_t processes_parent(uint32_t pid) {
  struct process process;
  return processes_look_beside(pid, 0, &process) ? process.parent : 0;
}

/* Whether all four numbers after a name in /proc/PID/status equal `wanted`. */
static bool are_all(const char *text, const char *name, uint32_t wanted) {
  const char *at = strstr(text, name);
  if (wanted == UNCHANGED) return true;
  if (!at) return false;
  at += strlen(name);
  for (int i = 0; i < 4; i++) {
    char *end;
    if (strtoull(at, &end, 10) != wanted || end == at) return false;
    at = end;
  }
  return true;
}

bool processes_has_ids(uint32_t pid, uint32_t uid, uint32_t gid) {
  char text[2048]; /* the ids are near the start, so they are within this length */
  if (uid == UNCHANGED && gid == UNCHANGED) return true;
  if (read_file(pid, "status", text, sizeof text) == 0) return false;
  return are_all(text, "\nUid:", uid) && are_all(text, "\nGid:", gid);
}

int processes_open(uint32_t pid, uint64_t start_time) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return -1;
  /* Checked while the pidfd is open: if the pid is the right process now, the pidfd is, too. */
  if (processes_start_time(pid) == start_time) return fd;
  (void)close(fd);
  errno = ESRCH;
  return -1;
}

/* The pid could be reused between the check and the signal, so this is only a fallback. */
static int signal_by_pid(uint32_t pid, uint64_t start_time, int signal_number) {
  if (processes_are_one(processes_start_time(pid), start_time)) return kill((pid_t)pid, signal_number);
  errno = ESRCH;
  return -1;
}

int processes_signal_by(int process, uint32_t pid, uint64_t start_time, int signal_number) {
  if (syscall(SYS_pidfd_send_signal, process, signal_number, NULL, 0) == 0) return 0;
  if (errno != ENOSYS && errno != EPERM && errno != EINVAL) return -1;
  return signal_by_pid(pid, start_time, signal_number);
}

int processes_signal(uint32_t pid, uint64_t start_time, int signal_number) {
  SCOPED_FD fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno == ENOSYS || errno == EPERM ? signal_by_pid(pid, start_time, signal_number) : -1;
  if (processes_are_one(processes_start_time(pid), start_time)) return processes_signal_by(fd, pid, start_time, signal_number);
  errno = ESRCH;
  return -1;
}

/* Reads the pids of one thread's children. A number may be split between two reads. */
static bool read_children(const char *path, void (*take)(void *context, uint32_t child), void *context) {
  char text[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  uint32_t number = 0;
  for (;;) {
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; i++) {
      if (isdigit((unsigned char)text[i])) {
        number = number * 10 + (uint32_t)(text[i] - '0');
        continue;
      }
      if (number > 0) take(context, number);
      number = 0;
    }
  }
  if (number > 0) take(context, number);
  (void)close(fd);
  return true;
}

bool processes_children(uint32_t pid, void (*take)(void *context, uint32_t child), void *context) {
  char path[PATH_ROOM];
  (void)snprintf(path, sizeof path, "/proc/%u/task", pid);
  DIR *threads = opendir(path);
  if (!threads) return access("/proc/thread-self/children", F_OK) == 0;
  bool are_listed = true;
  for (const struct dirent *thread = readdir(threads); thread && are_listed; thread = readdir(threads)) {
    if (!isdigit((unsigned char)thread->d_name[0])) continue;
    (void)snprintf(path, sizeof path, "/proc/%u/task/%.10s/children", pid, thread->d_name);
    /* The thread may have ended meanwhile. Only without kernel support does no thread have this list. */
    if (!read_children(path, take, context)) are_listed = access("/proc/thread-self/children", F_OK) == 0;
  }
  (void)closedir(threads);
  return are_listed;
}

void processes_all(void (*take)(void *context, uint32_t pid), void *context) {
  DIR *all = opendir("/proc");
  if (!all) return;
  for (const struct dirent *entry = readdir(all); entry; entry = readdir(all)) {
    if (isdigit((unsigned char)entry->d_name[0])) take(context, (uint32_t)strtoul(entry->d_name, NULL, 10));
  }
  (void)closedir(all);
}

size_t processes_environment(uint32_t pid, char *bytes, size_t room) {
  return peek_file(pid, "environ", bytes, room);
}

uid_t processes_user(uint32_t pid) {
  char path[PATH_ROOM];
  struct stat status;
  (void)snprintf(path, sizeof path, "/proc/%u", pid);
  return stat(path, &status) == 0 ? status.st_uid : (uid_t)-1;
}

uint64_t processes_pipe(uint32_t pid, int fd) {
  char name[PATH_ROOM];
  char target[PATH_ROOM];
  (void)snprintf(name, sizeof name, "fd/%d", fd);
  target[peek_link(pid, name, target, sizeof target - 1)] = '\0';
  return strncmp(target, "pipe:[", 6) == 0 ? strtoull(target + 6, NULL, 10) : 0;
}

void processes_inodes(uint32_t pid, void (*take)(void *context, uint64_t inode), void *context) {
  uint64_t *inodes = memory_take(MOST_INODES * sizeof *inodes);
  size_t count = peek_inodes(pid, inodes, MOST_INODES);
  for (size_t i = 0; i < count; i++) take(context, inodes[i]);
  free(inodes);
}

void processes_command(uint32_t pid, char *line, size_t room) {
  size_t length = peek_file(pid, "cmdline", line, room - 1);
  if (length == 0) length = read_file(pid, "comm", line, room); /* a kernel thread, or a process that is about to end */
  while (length > 0 && (line[length - 1] == '\0' || line[length - 1] == '\n')) length--;
  for (size_t i = 0; i < length; i++) {
    if (line[i] == '\0') line[i] = ' ';
  }
  line[length] = '\0';
}
