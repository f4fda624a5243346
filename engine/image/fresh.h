/* A new engine, and the build steps with it: compile, evaluate, check. Not part of the installed program. */
#ifndef ENGINE_FRESH_H
#define ENGINE_FRESH_H

#include <stddef.h>

#include "guest.h"

/* Starts an empty engine, with the host functions in the global object `hostCalls`. Time and random numbers are fixed. */
void fresh_start(void);
/* Checks that values are encoded as in guest.h. If not, ends the process with a message. */
void fresh_check_values(void);

/* Compiles a module. Returns its bytecode, without the source, in the engine's memory. A syntax error ends the process. */
const u8 *fresh_compile(const char *source, size_t length, const char *name, u32 *bytecode_length);
/* Evaluates bytecode, including all its promise jobs. An exception ends the process. */
void fresh_evaluate(const u8 *bytecode, size_t length);
/* Collects garbage and clears unused memory, so that an image contains no remains. */
void fresh_settle(void);

#endif
