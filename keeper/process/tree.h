/* A list of processes that grows from parents to children. worker/tree.c decides which process belongs to which worker. */
#pragma once

#include "process/processes.h"

struct tree {
  struct process *list;
  uint32_t count;
};

/* Adds a process once. False if it is gone. The number is limited, so that a fork bomb cannot fill the memory. */
bool tree_add(struct tree *tree, uint32_t pid);
/* The same for a process whose start time is known. */
bool tree_add_known(struct tree *tree, uint32_t pid, uint64_t start_time);
/* The same for a process that was read before. */
bool tree_take(struct tree *tree, const struct process *process);
/* Whether the tree contains exactly this process. */
bool tree_holds(const struct tree *tree, const struct process *process);
/* Adds all descendants of its processes, except those for which `is_other` is true. */
void tree_grow(struct tree *tree, bool (*is_other)(uint32_t pid));
/* Calls `take` for each child of the keeper, including ended ones that are not reaped. */
void tree_own_children(void (*take)(void *context, uint32_t pid), void *context);
/* Pids in the order in which they were found. */
struct pids {
  uint32_t *list;
  uint32_t count;
};

/* Appends one without checking for duplicates. Usable as a callback. */
void pids_add(void *pids, uint32_t pid);
/* Reads all of them and frees the pids. Returns the existing processes, which the caller frees. */
struct tree pids_look(struct pids *pids);
void tree_free(struct tree *tree);
