/* Processes that read what others of the same tree write (`server | cat`). A signal that ends the reader breaks the writer's
 * pipe, and the writer may die in the middle of its work. Without a signal, the reader ends at the end of the input. */
#pragma once

#include "process/tree.h"

/* The processes whose standard input is a pipe from other processes, in a pipeline whose first process reads from none. */
struct tree pipeline_readers(const struct tree *tree);
/* Whether the process still reads what a process of the tree writes. */
bool pipeline_reads(const struct tree *tree, const struct process *process);
