/* A list of processes that grows down the tree of parents and children. Which process belongs to which worker is
 * worker/tree.c's. */
#ifndef KEEPER_PROCESS_TREE_H
#define KEEPER_PROCESS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "process/processes.h"

struct tree {
  struct process *list;
  uint32_t count;
};

/* Adds a process, once. False if it is gone. Only so many are taken that a fork bomb cannot fill the memory. */
bool tree_add(struct tree *tree, uint32_t pid);
/* The same for a process whose start time is known. */
bool tree_add_known(struct tree *tree, uint32_t pid, uint64_t start_time);
/* The same for one that has been looked at. */
bool tree_take(struct tree *tree, const struct process *process);
/* Whether this very process is in it. */
bool tree_holds(const struct tree *tree, const struct process *process);
/* Adds all that descends from those that are in it, but for what `is_other` says is not part of it. */
void tree_grow(struct tree *tree, bool (*is_other)(uint32_t pid));
/* The pids of the keeper's own children, ended ones that are not reaped included. */
void tree_own_children(void (*take)(void *context, uint32_t pid), void *context);
/* Pids in the order in which they are found. */
struct pids {
  uint32_t *list;
  uint32_t count;
};

/* Adds one, once more if it is there already. For calls that take a function. */
void pids_add(void *pids, uint32_t pid);
/* Looks at all of them, and forgets the pids. Returns those that are there, to be freed. */
struct tree pids_look(struct pids *pids);
void tree_free(struct tree *tree);

#endif
