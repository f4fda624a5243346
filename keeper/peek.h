/* What /proc shows of a process's memory: its environment and its arguments. The process decides how long reading them takes:
 * they may lie in a file of its own FUSE file system, or it may stand in the middle of execve(2) (exec_update_lock). */
#ifndef KEEPER_PEEK_H
#define KEEPER_PEEK_H

#include <stddef.h>
#include <stdint.h>

/* Reads /proc/PID/NAME in a process of the keeper's, which is given up after a moment. The length; 0 if there is nothing to be
 * read. What could not be read in time once is not tried again. */
size_t peek_read(uint32_t pid, uint64_t start_time, const char *name, char *bytes, size_t room);

#endif
