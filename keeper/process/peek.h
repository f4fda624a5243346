/* Reads what /proc shows of untrusted processes. A process can block the reader of some files for as long as it likes. All that
 * ptrace_may_access() or mm_access() guard (stat, environ, the links of fd/ and exe) blocks while the process is in the middle
 * of execve(2) (exec_update_lock), where it may flush a descriptor of its own FUSE file system. The memory behind cmdline and
 * environ may be in such a file, too. So these files are read in a forked process, which can be killed: SIGKILL ends its wait.
 *
 * Never blocking, so read directly: the directory itself, the lists in fd/ and task/, status, comm, cgroup, children. */
#pragma once

#include <signal.h>

#include "app/basics.h"

/* Reads /proc/PID/NAME. Returns the length; 0 if it cannot be read, or not in time. */
size_t peek_file(uint32_t pid, const char *name, void *bytes, size_t room);
/* Reads /proc/PID/stat of many processes, for little more than the cost of one. Calls `take` for each in order, with its
 * NUL-terminated text of `length` bytes; `length` is 0 as above. */
void peek_stats(const uint32_t *pids, size_t count, void (*take)(void *context, uint32_t pid, const char *text, size_t length),
                void *context);
/* The same for the target of a link. */
size_t peek_link(uint32_t pid, const char *name, void *bytes, size_t room);
/* Device and inode of a link's target. */
bool peek_identity(uint32_t pid, const char *name, uint64_t identity[2]);
/* The inodes of a process's open pipes and sockets, at most `room`. Returns their number. */
size_t peek_inodes(uint32_t pid, uint64_t *inodes, size_t room);
/* Whether a process has blocked a reader recently: it is skipped for some seconds. */
bool peek_is_held_up(uint32_t pid);

/* From now on this process reads by itself, because it can be killed. */
void peek_without_reader(void);
/* Whether a reader is waiting for questions. It serves all questions of one round of the loop. */
bool peek_is_open(void);
/* Lets the reader end. */
void peek_close(void);
/* Whether a child of the keeper is a reader. */
bool peek_has_child(uint32_t pid);
/* Reaps the child if it is a reader. False if it is not. */
bool peek_child_gone(const siginfo_t *info);
