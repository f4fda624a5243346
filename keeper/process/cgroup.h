/* A control group (cgroups(7), version 2) per worker, if the keeper's own group is delegated to it. Everything that a worker
 * starts stays in its group, unless it has the privilege to leave. Without groups, the process tree must be enough. */
#pragma once

#include "app/basics.h"

/* A worker's group is named after the keeper that started it and the worker's number. */
struct cgroup {
  uint32_t keeper;
  uint64_t worker;
};

/* Creates the group. Returns the descriptor to which the process writes "0" to join it; 0 if there are no groups. */
int cgroup_make(struct cgroup group);
/* Removes the group unless a process is left in it. */
void cgroup_remove(struct cgroup group);
/* Kills all processes in it, at once if the kernel can (cgroup.kill, Linux 5.14). */
void cgroup_kill(struct cgroup group);
/* Calls `take` for every process in it. */
void cgroup_processes(struct cgroup group, void (*take)(void *context, uint32_t pid), void *context);
/* The group of a process; .worker 0 if it is in none of these groups. */
struct cgroup cgroup_of(uint32_t pid);
