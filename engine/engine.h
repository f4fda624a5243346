/* The engine in this process: started empty (only to build an image) or from an image, and run turn by turn. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "guest.h"

/* Functions of TypeScript that the host calls: at the start, for each turn of the loop, and for an uncaught exception. */
enum hook { HOOK_START, HOOK_TURN, HOOK_UNCAUGHT, HOOK_COUNT };

/* The state that is needed to continue but is not in the engine's memory. An image contains it. */
struct engine_state {
  u32 pages;
  u32 stack;
  struct guest guest;
  value hooks[HOOK_COUNT];
};

/* Continues in this state with the memory that heap.h has mapped. */
void engine_resume(const struct engine_state *state);
/* The current state, between two turns. */
struct engine_state engine_state(void);

/* Takes ownership of `function`. */
void engine_set_hook(enum hook hook, value function);

/* Calls the hook without arguments, then runs all jobs (promises). An exception goes to HOOK_UNCAUGHT; an exception in that
 * hook ends the process. Returns the hook's result if it is an int, else -1. */
s32 engine_call(enum hook hook);
/* Runs all pending jobs. */
void engine_drain(void);

/* Prints the current exception with its stack, and exits with status 70. */
_Noreturn void engine_die(const char *what);

/* Calls HOOK_START, then HOOK_TURN until it returns a status, and exits with that status. */
_Noreturn void engine_run(void);

#endif
