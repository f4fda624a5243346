/* A worker is a process tree: the process that was started, and all its descendants in any group or session. The keeper is the
 * subreaper, so a process that loses its parent becomes the keeper's child; kin.c finds out whose it is. */
#pragma once

#include "worker/worker.h"

/* The worker was started, or adopted: notes how to recognize its processes. */
void worker_tree_begin(struct worker *worker);
void worker_tree_adopt(struct worker *worker, uint32_t keeper, uint64_t generation, uint32_t user);
/* The main process of an adopted worker is gone: reports that. False if no other process of it is left either. */
bool worker_tree_adopt_rest(struct worker *worker);
/* The number of its processes besides the main one. */
uint32_t worker_tree_rest(struct worker *worker);
/* Sends a signal to each of its processes once. SIGKILL is repeated until no process is found. 0, or -1 with errno. */
int worker_tree_signal(struct worker *worker, int signal_number);
/* Its main process is gone and reaped: reports that, or the worker's end if no other process is left. */
void worker_tree_main_ended(struct worker *worker);
/* Children have ended: reports the end of each worker whose tree is empty now. */
void worker_trees_check(void);
/* Events were consumed: reports the ends of main processes that waited for that. */
void worker_trees_decide(void);
/* Releases what the tree functions hold for the worker. */
void worker_tree_release(struct worker *worker);
