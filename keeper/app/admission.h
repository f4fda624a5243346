/* Which descriptors of others the keeper may hold: those that it can close, and that a process it starts can close, without
 * waiting for the process that made them. */
#ifndef KEEPER_APP_ADMISSION_H
#define KEEPER_APP_ADMISSION_H

#include <stdbool.h>

/* Whether the keeper may hold it. May wait for the file system: only for a process of its own. Async-signal-safe. */
bool admission_allows(int fd);
/* Lets go of a descriptor that was admitted. The last close of one may take its time: then another process does it. */
void admission_close(int fd);
/* Closes a socket of the keeper's own. Descriptors of others that it has not received, and what their close waits for, are
 * another process's to let go of. */
void admission_close_unread(int fd);

#endif
