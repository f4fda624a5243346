/* Processes as seen through /proc and pidfds. */
#pragma once

#include "app/basics.h"

/* One process: pid and start time identify it permanently; the rest is a snapshot. */
struct process {
  uint32_t pid;
  uint32_t parent;
  uint32_t group;
  uint32_t session;
  char state; /* as in proc_pid_stat(5): 'Z' and 'X' have ended */
  uint64_t start_time;
};

/* Marks a substitute for the start time of a process that cannot be read now (peek.h). It identifies the process while that
 * lasts. It does not tell when the process started, but compares as later than any start time. */
#define PROCESS_HELD_UP (UINT64_C(1) << 63)

/* Reads a process. False if there is no process with this pid. */
bool processes_look(uint32_t pid, struct process *process);
/* The same for many; `found` has room for all of them. Returns how many exist. */
uint32_t processes_look_at_all(const uint32_t *pids, uint32_t count, struct process *found);
/* The same for a process whose start time is known, such as a child that is not reaped. Does not read its stat file. */
bool processes_look_beside(uint32_t pid, uint64_t start_time, struct process *process);
/* Whether two start times of the same pid, read shortly after each other, may be those of one process: one of them may be a
 * substitute. */
bool processes_are_one(uint64_t start_time, uint64_t other);
/* The session of a process; 0 if there is no such process. */
uint32_t processes_session(uint32_t pid);
/* The start time of the calling process; 0 without /proc. */
uint64_t processes_own_start_time(void);
/* Whether it has ended and only waits to be reaped. */
bool processes_has_ended(const struct process *process);

/* The start time of a process, in clock ticks since boot (field 22 of /proc/PID/stat). 0 if there is no such process. */
uint64_t processes_start_time(uint32_t pid);
/* The pid of its parent; 0 if there is no such process, or its parent is not visible here. */
uint32_t processes_parent(uint32_t pid);
/* Whether all of its user ids (real, effective, saved, file system) are `uid`, and all of its group ids `gid`. UNCHANGED
 * matches any id. */
bool processes_has_ids(uint32_t pid, uint32_t uid, uint32_t gid);
/* A pidfd of the process with this pid and start time; -1 with errno (ESRCH: it is gone). */
int processes_open(uint32_t pid, uint64_t start_time);
/* Sends a signal to the process with this pid and start time; -1 with errno (ESRCH: it is gone). */
int processes_signal(uint32_t pid, uint64_t start_time, int signal_number);
/* Calls `take` for every child of every thread of a process. False if this kernel does not list children
 * (CONFIG_PROC_CHILDREN). */
bool processes_children(uint32_t pid, void (*take)(void *context, uint32_t child), void *context);
/* Calls `take` for every visible process. */
void processes_all(void (*take)(void *context, uint32_t pid), void *context);
/* The environment that a process was started with. Returns the length, at most `room`; 0 if it cannot be read. */
size_t processes_environment(uint32_t pid, char *bytes, size_t room);
/* The effective user of a process; (uid_t)-1 if there is no such process. */
uid_t processes_user(uint32_t pid);
/* The inode of the pipe at a process's descriptor; 0 if it is not a pipe. */
uint64_t processes_pipe(uint32_t pid, int fd);
/* Calls `take` for the inode of every open pipe and socket of a process. */
void processes_inodes(uint32_t pid, void (*take)(void *context, uint64_t inode), void *context);
/* The command line of a process, in one NUL-terminated line of at most `room` bytes. */
void processes_command(uint32_t pid, char *line, size_t room);

/* Sends a signal through a pidfd. If the kernel or a filter (seccomp(2)) lacks that call, sends it to the pid, if that is still
 * the process with this start time. 0, or -1 with errno. */
int processes_signal_by(int process, uint32_t pid, uint64_t start_time, int signal_number);
