/* The lock that keeps a second crank of the same name away. */
#ifndef KEEPER_LOCK_H
#define KEEPER_LOCK_H

#include <stdbool.h>

#include "wire.h"

/* Takes it, and writes our pid into the file. Taking the same one again is harmless. -1 with errno (EAGAIN: somebody has it) and the step. */
int lock_take(const char *path, const char **step);

void lock_save(struct buffer *out);
bool lock_load(struct reader *in);

#endif
