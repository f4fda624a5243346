/* Decides which worker a process belongs to: by its session, by what it inherited, or because no other worker can have left
 * it. */
#pragma once

#include "process/cgroup.h"
#include "process/tree.h"
#include "worker/worker.h"

/* Sets the check for the keeper's own children, such as the supervisor, which belong to no worker. */
void kin_leaves_out(bool (*is_own)(uint32_t pid));
/* Whether the process is in a session that a process of the worker began. */
bool kin_is_in_session(const struct worker *worker, const struct process *process);
/* All processes of a worker, with its main process first if it exists. Others may include ended ones. */
struct tree kin_of(struct worker *worker);
/* Whether the worker began this session, according to a process in it. */
bool kin_is_session_of(const struct worker *worker, uint32_t session);
/* The control group of a worker. */
struct cgroup kin_cgroup(const struct worker *worker);
/* Whether the keeper had orphans of workers as children when its children were last read. */
bool kin_has_strays(void);
/* Children of the keeper that are orphans of workers that are gone. */
struct tree kin_left(void);
/* The inode of a descriptor; 0 if there is none. */
uint64_t kin_inode(int fd);
/* Notes that a worker started at this time, with or without its own session. */
void kin_note_start(uint64_t start_time, bool has_session);

void kin_save(struct buffer *out);
bool kin_load(struct reader *in);
