/* A new engine, and what a build does with it: compile, evaluate, check. Not part of what is installed. */
#ifndef ENGINE_FRESH_H
#define ENGINE_FRESH_H

#include <stddef.h>

#include "guest.h"

/* Begins with an empty engine, in which host functions are the global object `hostCalls`. Everything in it happens at a fixed
 * time, with fixed random numbers. */
void fresh_start(void);
/* Checks that values are what guest.h says. The process ends with a sentence if one is not. */
void fresh_check_values(void);

/* Compiles a module. Returns its bytecode, without the source, in the engine's memory. Ends the process at a syntax error. */
const u8 *fresh_compile(const char *source, size_t length, const char *name, u32 *bytecode_length);
/* Evaluates bytecode, with all that its promises lead to. Ends the process at an exception. */
void fresh_evaluate(const u8 *bytecode, size_t length);
/* Collects garbage and clears what is no longer used, so that an image holds nothing that is left over. */
void fresh_settle(void);

#endif
