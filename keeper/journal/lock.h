/* The locks that keep a second crank away from the files of this one. */
#ifndef KEEPER_JOURNAL_LOCK_H
#define KEEPER_JOURNAL_LOCK_H

#include <stdbool.h>

#include "protocol/wire.h"

/* Takes it, and writes our pid into the file. Taking the same one again is harmless. -1 with errno (EAGAIN: another process has it) and the step. */
int lock_take(const char *path, const char **step);
/* Removes the files of those that are held; the keeper ends, and the locks with it. */
void lock_leave(void);

void lock_save(struct buffer *out);
bool lock_load(struct reader *in);

#endif
