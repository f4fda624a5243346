/* A control group (cgroups(7), version 2) for each worker, where the keeper's own is delegated to it: all that a worker starts is
 * in its group, whatever it does, unless it has the right to leave. Where there is none, the tree of processes has to do. */
#ifndef KEEPER_PROCESS_CGROUP_H
#define KEEPER_PROCESS_CGROUP_H

#include <stdint.h>

/* A worker's group is named after the keeper that started it and its number. */
struct cgroup {
  uint32_t keeper;
  uint64_t worker;
};

/* Makes the group. The descriptor to write "0" to in the process that is to be in it; 0 where there is none. */
int cgroup_make(struct cgroup group);
/* Removes it; not if anything is left in it. */
void cgroup_remove(struct cgroup group);
/* Ends all that is in it with SIGKILL, at once where the kernel can (cgroup.kill, Linux 5.14). */
void cgroup_kill(struct cgroup group);
/* Calls for every process in it. */
void cgroup_processes(struct cgroup group, void (*take)(void *context, uint32_t pid), void *context);
/* The group that a process is in; .worker 0 if it is in none of these. */
struct cgroup cgroup_of(uint32_t pid);

#endif
