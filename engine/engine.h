/* The engine in this process: begun from nothing (only where an image is built) or from an image, and run turn by turn. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "guest.h"

/* What TypeScript gives the host to call: at the start, for each turn of the loop, and for an uncaught exception. */
enum hook { HOOK_START, HOOK_TURN, HOOK_UNCAUGHT, HOOK_COUNT };

/* Everything that is not in the engine's memory and has to be known to go on with it. An image holds it. */
struct engine_state {
  u32 pages;
  u32 stack;
  struct guest guest;
  value hooks[HOOK_COUNT];
};

/* Takes over the memory that heap.h has mapped, in this state. */
void engine_resume(const struct engine_state *state);
/* The state now, between two turns. */
struct engine_state engine_state(void);

/* `function` belongs to the engine afterwards. */
void engine_set_hook(enum hook hook, value function);

/* Calls the hook without arguments, and then does all jobs (promises). An exception goes to HOOK_UNCAUGHT; one in that ends
 * the process. Returns the int that the hook returned, or -1 if it was something else. */
s32 engine_call(enum hook hook);
/* Does all jobs that wait. */
void engine_drain(void);

/* Prints the exception that is thrown, with its stack, and ends the process with status 70. */
_Noreturn void engine_die(const char *what);

/* Calls HOOK_START, then HOOK_TURN until it returns a status; exits with that. */
_Noreturn void engine_run(void);

#endif
