/* The keeper as a whole: its start, its end, and its execution anew in place. */
#ifndef KEEPER_MAIN_KEEPER_H
#define KEEPER_MAIN_KEEPER_H

#include <stdbool.h>

/* Runs until it is told to end. */
_Noreturn void keeper_run(int argc, char **argv);
/* Ends: output and answers are sent first, workers are left alone. */
_Noreturn void keeper_leave(int status, bool keep_journal);
/* Between two batches: does what the last one asked for. */
void keeper_end_if_asked(void);

#endif
