/* Processes that read what others of the same tree write (`server | cat`): a signal that ends the reader breaks the pipe of the
 * writer, which may die of that in the middle of its work. Left alone, the reader ends when there is nothing more to read. */
#ifndef KEEPER_PROCESS_PIPELINE_H
#define KEEPER_PROCESS_PIPELINE_H

#include "process/tree.h"

/* Those whose standard input is a pipe that others write to, behind some that read from none. */
struct tree pipeline_readers(const struct tree *tree);
/* Whether the process still reads what some process of the tree writes. */
bool pipeline_reads(const struct tree *tree, const struct process *process);

#endif
