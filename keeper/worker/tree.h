/* A worker is a tree: the process that was started, and all that descends from it, in whatever group or session it is. The
 * keeper is the subreaper, so what loses its parent becomes its child; here it is found out whose it is. */
#ifndef KEEPER_WORKER_TREE_H
#define KEEPER_WORKER_TREE_H

#include <stdbool.h>

#include "worker/worker.h"

/* The worker was started, or adopted: notes by what its processes are known. */
void worker_tree_begin(struct worker *worker);
void worker_tree_adopt(struct worker *worker, uint32_t keeper, uint64_t generation, uint32_t user);
/* The main process of one that was adopted is gone: tells that. False: nothing else of it is there either. */
bool worker_tree_adopt_rest(struct worker *worker);
/* How many processes of it there are beside its main one. */
uint32_t worker_tree_rest(struct worker *worker);
/* Sends a signal to every process of it, once each. SIGKILL is sent again until none is found. 0, or -1 with errno. */
int worker_tree_signal(struct worker *worker, int signal_number);
/* Its main process is gone and reaped: tells that, or the worker's end if nothing else is left. */
void worker_tree_main_ended(struct worker *worker);
/* Children have ended: tells the ends of trees that are empty now. */
void worker_trees_check(void);
/* Events were consumed: tells the ends of main processes that waited for that. */
void worker_trees_decide(void);
/* Lets go of what it is about its processes. */
void worker_tree_release(struct worker *worker);
/* The keeper ends: ends all that workers have left, but for those that still run. */
void worker_trees_end(void);

#endif
