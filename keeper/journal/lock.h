/* Lock files that keep a second crank from using the files of this one. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Takes the lock and writes our pid into the file. Taking the same lock again has no effect. -1 with errno (EAGAIN: another
 * process holds it) and the step. */
int lock_take(const char *path, const char **step);
/* Removes the files of all held locks before the keeper exits, which releases the locks. */
void lock_leave(void);

void lock_save(struct buffer *out);
bool lock_load(struct reader *in);
