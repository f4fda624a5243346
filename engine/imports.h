/* Functions that the engine's module imports. While an image is built, the clock and the random numbers are fixed, so that the
 * same sources give the same image. */
#ifndef ENGINE_IMPORTS_H
#define ENGINE_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

/* Fixes the clock and the random numbers for the rest of this process. */
void imports_fix(void);
/* Whether the fixed clock or time zone was read since the last call. */
bool imports_were_asked(void);

/* Called for a promise that is rejected without a handler (handled 0), or gets one later (1). */
typedef void rejection_handler(uint64_t promise, uint32_t handled);
void imports_on_rejection(rejection_handler *handler);

#endif
