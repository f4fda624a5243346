/* Processes as /proc and pidfds show them. */
#ifndef KEEPER_PROCESSES_H
#define KEEPER_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

/* For pidfd_send_signal: to the group of the process (PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9). */
enum { PROCESSES_SIGNAL_GROUP = 4 };

/* Field 22 of /proc/PID/stat: when it started, in clock ticks since boot. 0 if there is no such process. */
uint64_t processes_start_time(uint32_t pid);
/* Its parent's pid; 0 if there is no such process, or its parent is not to be seen from here. */
uint32_t processes_parent(uint32_t pid);
/* Whether these are all of its user ids (real, effective, saved, of the file system), and all of its group ids. UNCHANGED:
 * whatever they are. */
bool processes_has_ids(uint32_t pid, uint32_t uid, uint32_t gid);
/* A pidfd of the process that has this pid and this start time; -1 with errno (ESRCH: it is gone). */
int processes_open(uint32_t pid, uint64_t start_time);

#endif
