/* Processes as /proc and pidfds show them. */
#ifndef KEEPER_PROCESS_PROCESSES_H
#define KEEPER_PROCESS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One process: pid and start time name it for good, the rest is how it was when it was looked at. */
struct process {
  uint32_t pid;
  uint32_t parent;
  uint32_t group;
  uint32_t session;
  char state;          /* as proc_pid_stat(5) has it: 'Z' and 'X' have ended */
  uint64_t start_time;
};

/* Marks what stands for the start time of a process that cannot be looked at now (peek.h). It names the process for as long as
 * that lasts; nothing in it says when the process started, but it counts as later than any. */
#define PROCESS_HELD_UP (UINT64_C(1) << 63)

/* Looks at a process. False if there is none of this pid. */
bool processes_look(uint32_t pid, struct process *process);
/* The same for many; `found` has room for all of them. Returns how many there are. */
uint32_t processes_look_at_all(const uint32_t *pids, uint32_t count, struct process *found);
/* The same for one whose start time is known, as that of a child that is not reaped. */
bool processes_look_beside(uint32_t pid, uint64_t start_time, struct process *process);
/* Whether two start times of one pid, of two looks in a moment, are those of one process: it may have been held up at one of
 * them. */
bool processes_are_one(uint64_t start_time, uint64_t other);
/* The session of a process; 0 if there is no such process. */
uint32_t processes_session(uint32_t pid);
/* When the calling process started; 0 without /proc. */
uint64_t processes_own_start_time(void);
/* Whether it has ended, and only waits to be reaped. */
bool processes_has_ended(const struct process *process);

/* Field 22 of /proc/PID/stat: when it started, in clock ticks since boot. 0 if there is no such process. */
uint64_t processes_start_time(uint32_t pid);
/* Its parent's pid; 0 if there is no such process, or its parent is not to be seen from here. */
uint32_t processes_parent(uint32_t pid);
/* Whether these are all of its user ids (real, effective, saved, of the file system), and all of its group ids. UNCHANGED:
 * whatever they are. */
bool processes_has_ids(uint32_t pid, uint32_t uid, uint32_t gid);
/* A pidfd of the process that has this pid and this start time; -1 with errno (ESRCH: it is gone). */
int processes_open(uint32_t pid, uint64_t start_time);
/* Sends a signal to the process that had this pid and this start time a moment ago; -1 with errno (ESRCH: it is gone). */
int processes_signal(uint32_t pid, uint64_t start_time, int signal_number);
/* Calls for every child of every thread of a process. False: this kernel does not list children (CONFIG_PROC_CHILDREN). */
bool processes_children(uint32_t pid, void (*take)(void *context, uint32_t child), void *context);
/* Calls for every process that is to be seen. */
void processes_all(void (*take)(void *context, uint32_t pid), void *context);
/* The environment that a process was started with, as far as it can be read: the length, at most `room`; 0 for none. */
size_t processes_environment(uint32_t pid, char *bytes, size_t room);
/* The effective user of a process; (uid_t)-1 if there is none. */
uid_t processes_user(uint32_t pid);
/* The inode of the pipe that is a descriptor of a process; 0 if it is none. */
uint64_t processes_pipe(uint32_t pid, int fd);
/* Calls for the inode of every pipe and socket that a process has open. */
void processes_inodes(uint32_t pid, void (*take)(void *context, uint64_t inode), void *context);
/* How a process was called, in one line of at most `room` bytes with the NUL behind it. */
void processes_command(uint32_t pid, char *line, size_t room);

/* Sends a signal by a pidfd; where the kernel or a filter (seccomp(2)) does not have that call, by the pid, if that still is the
 * process with this start time. 0, or -1 with errno. */
int processes_signal_by(int process, uint32_t pid, uint64_t start_time, int signal_number);

#endif
