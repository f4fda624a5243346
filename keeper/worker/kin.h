/* Whose a process is: by its session, by what it was given at its start, or because no other worker can have left it. */
#ifndef KEEPER_WORKER_KIN_H
#define KEEPER_WORKER_KIN_H

#include <stdbool.h>
#include <stdint.h>

#include "process/cgroup.h"
#include "process/tree.h"
#include "worker/worker.h"

/* Which children of the keeper's are no worker's (the supervisor and its like). */
void kin_leaves_out(bool (*is_own)(uint32_t pid));
/* Whether a process is in a session that a process of the worker has begun. */
bool kin_is_in_session(const struct worker *worker, const struct process *process);
/* All processes of a worker, its main one first if that is there. Others that have ended may be among them. */
struct tree kin_of(struct worker *worker);
/* Whether the worker began this session, as some process in it shows. */
bool kin_is_session_of(const struct worker *worker, uint32_t session);
/* The control group of a worker. */
struct cgroup kin_cgroup(const struct worker *worker);
/* Whether the keeper had children, when its processes were looked at last, that workers have left. */
bool kin_has_strays(void);
/* Children of the keeper's that workers have left which are gone themselves. */
struct tree kin_left(void);
/* The inode of a descriptor; 0 if there is none. */
uint64_t kin_inode(int fd);
/* The first worker of this keeper began at that time, with a session of its own or without. */
void kin_note_start(uint64_t start_time, bool has_session);

void kin_save(struct buffer *out);
bool kin_load(struct reader *in);

#endif
