/* The process trees of workers, and what a process uses, from /proc. One pass over all processes costs less than the children
 * of every thread of every worker, and also finds processes that have lost their parent. */
#include <dirent.h>

#include "app/descriptors.h"
#include "app/memory.h"
#include "helpers/measured.h"
#include "process/peek.h"

enum { STAT_BYTES = 1024, ROLLUP_BYTES = 2048, PATH_BYTES = 64, NO_WORKER = UINT32_MAX };

struct process {
  uint32_t pid;
  uint32_t parent;
  uint32_t group;
  uint64_t start;
  uint64_t ticks;
  uint32_t worker;
};

static struct process *processes;
static size_t process_count;

/* Fields of proc_pid_stat(5), counted from 1. The second is a name in parentheses, which may contain any character. */
static bool parse_stat(const char *text, struct process *process) {
  enum { PARENT = 4, GROUP = 5, OWN_TIME = 14, OF_THE_DEAD = 17, START = 22 };
  const char *at = strrchr(text, ')');
  if (!at) return false;
  at += 2; /* to the third field, a letter */
  for (int field = 3; field <= START; field++) {
    uint64_t value = strtoull(at, NULL, 10);
    if (field == PARENT) process->parent = (uint32_t)value;
    if (field == GROUP) process->group = (uint32_t)value;
    if (field >= OWN_TIME && field <= OF_THE_DEAD) process->ticks += value;
    if (field == START) process->start = value;
    at = strchr(at, ' ');
    if (!at) return false;
    at++;
  }
  return true;
}

static void read_process(uint32_t pid) {
  static size_t room;
  char text[STAT_BYTES];
  struct process process = {.pid = pid, .worker = NO_WORKER};
  text[peek_file(pid, "stat", text, sizeof text - 1)] = '\0';
  if (!parse_stat(text, &process)) return; /* it is gone or not readable */
  if (process_count == room) {
    room = room == 0 ? 256 : room * 2;
    processes = memory_resize(processes, room * sizeof *processes);
  }
  processes[process_count++] = process;
}

static int by_pid(const void *a, const void *b) {
  uint32_t left = ((const struct process *)a)->pid;
  uint32_t right = ((const struct process *)b)->pid;
  return left < right ? -1 : left > right;
}

static void read_processes(void) {
  DIR *directory = opendir("/proc");
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    char *end = NULL;
    unsigned long pid = strtoul(entry->d_name, &end, 10);
    if (end != entry->d_name && *end == '\0') read_process((uint32_t)pid);
  }
  (void)closedir(directory);
  if (process_count > 0) qsort(processes, process_count, sizeof *processes, by_pid);
}

static struct process *find(uint32_t pid) {
  const struct process wanted = {.pid = pid};
  if (process_count == 0) return NULL;
  return bsearch(&wanted, processes, process_count, sizeof *processes, by_pid);
}

/* A process that has lost its parent is still in the worker's process group, if the worker leads one. */
static void join_group(struct process *process) {
  const struct process *leader = process->worker == NO_WORKER ? find(process->group) : NULL;
  bool is_worker = leader && leader->worker != NO_WORKER && leader->group == leader->pid;
  if (is_worker) process->worker = leader->worker;
}

/* Walks up to the first ancestor that belongs to a worker. The steps are bounded because the processes were not all read at the
 * same moment, so there may be cycles. */
static void join_tree(struct process *process) {
  uint32_t worker = process->worker;
  const struct process *above = process;
  for (size_t steps = 0; worker == NO_WORKER && above && above->parent > 1 && steps < process_count; steps++) {
    above = find(above->parent);
    if (above) worker = above->worker;
  }
  process->worker = worker;
}

struct measured_process *measured_processes(struct measured_worker *workers, size_t count, size_t *found) {
  read_processes();
  for (size_t i = 0; i < count; i++) {
    struct process *process = find(workers[i].pid);
    if (process && process->start == workers[i].start) process->worker = (uint32_t)i;
  }
  for (size_t i = 0; i < process_count; i++) join_group(&processes[i]);
  for (size_t i = 0; i < process_count; i++) join_tree(&processes[i]);
  struct measured_process *members = memory_take((process_count + 1) * sizeof *members);
  *found = 0;
  for (size_t i = 0; i < process_count; i++) {
    const struct process *process = &processes[i];
    if (process->worker == NO_WORKER) continue;
    struct measured_worker *worker = &workers[process->worker];
    worker->processes++;
    worker->ticks += process->ticks;
    members[(*found)++] = (struct measured_process){.pid = process->pid, .worker = process->worker};
  }
  return members;
}

/* The proportional set size counts a shared page by shares (proc_pid_smaps(5)), so the sum over a tree is right. */
static bool read_shares(uint32_t pid, uint64_t *bytes) {
  char text[ROLLUP_BYTES];
  text[peek_file(pid, "smaps_rollup", text, sizeof text - 1)] = '\0';
  const char *line = strstr(text, "\nPss:");
  if (!line) return false;
  *bytes = strtoull(line + strlen("\nPss:"), NULL, 10) * 1024;
  return true;
}

bool measured_memory(uint32_t pid, uint64_t *bytes) {
  if (read_shares(pid, bytes)) return true;
  char path[PATH_BYTES];
  char text[STAT_BYTES];
  (void)snprintf(path, sizeof path, "/proc/%u/statm", pid);
  *bytes = 0;
  if (descriptors_read_text(path, text, sizeof text) == 0) return errno == ENOENT || errno == ESRCH;
  const char *resident = strchr(text, ' ');
  if (resident) *bytes = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
  return true;
}
