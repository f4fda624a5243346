/* What /proc shows of processes that are not trusted. Some of its files make the reader wait for as long as the process likes:
 * all that ptrace_may_access() or mm_access() guard (stat, environ, the links of fd/ and exe) wait while the process stands in the
 * middle of execve(2) (exec_update_lock), where it may flush a descriptor of a FUSE file system of its own; its memory (cmdline,
 * environ) may lie in such a file. They are read in a forked process, which is given up: a SIGKILL ends its wait.
 *
 * These do not wait, and may be read at once: the directory itself, the lists in fd/ and task/, status, comm, cgroup, children. */
#ifndef KEEPER_PROCESS_PEEK_H
#define KEEPER_PROCESS_PEEK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads /proc/PID/NAME. The length; 0 if there is nothing to be read, or not in time. */
size_t peek_file(uint32_t pid, const char *name, void *bytes, size_t room);
/* Reads /proc/PID/stat of many, which costs little more than that of one: calls for each of them, in order, with its text of
 * `length` bytes, a NUL behind it; 0 as above. */
void peek_stats(const uint32_t *pids, size_t count, void (*take)(void *context, uint32_t pid, const char *text, size_t length), void *context);
/* The same for what a link says. */
size_t peek_link(uint32_t pid, const char *name, void *bytes, size_t room);
/* Device and inode of what a link leads to. */
bool peek_identity(uint32_t pid, const char *name, uint64_t identity[2]);
/* The inodes of the pipes and sockets that a process has open, at most `room`. Returns how many there are. */
size_t peek_inodes(uint32_t pid, uint64_t *inodes, size_t room);
/* Whether a process has kept a reader waiting a moment ago: it is not asked again for some seconds. */
bool peek_is_held_up(uint32_t pid);

/* From now on this process reads for itself: it is one that is given up. */
void peek_without_reader(void);
/* Whether a reader is there that waits for the next question. It serves all questions of one turn of the loop. */
bool peek_is_open(void);
/* Lets it end. */
void peek_close(void);
/* Whether a child of the keeper's is such a reader. */
bool peek_has_child(uint32_t pid);
/* Reaps it. False: it is none. */
bool peek_child_gone(const siginfo_t *info);

#endif
