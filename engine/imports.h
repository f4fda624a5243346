/* What the engine's module asks of its surroundings. While an image is built, the clock stands still and random numbers are
 * no such thing, so that the same sources give the same image. */
#ifndef ENGINE_IMPORTS_H
#define ENGINE_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

/* Fixes clock and random numbers for the rest of this process. */
void imports_fix(void);
/* Whether the clock or the time zone was asked for, though it is fixed, since this was called last. */
bool imports_were_asked(void);

/* What the engine calls for a promise that is rejected without a handler (handled 0), or gets one later (1). */
typedef void rejection_handler(uint64_t promise, uint32_t handled);
void imports_on_rejection(rejection_handler *handler);

#endif
