/* Which descriptors of others the keeper may hold: those that it can close, and that a process it starts can close, without
 * waiting for whoever made them. */
#ifndef KEEPER_ADMISSION_H
#define KEEPER_ADMISSION_H

#include <stdbool.h>

/* Whether the keeper may hold it. May wait for the file system: only for a process of its own. Async-signal-safe. */
bool admission_allows(int fd);
/* Lets go of a descriptor that was admitted. The last close of one may take its time: then another process does it. */
void admission_close(int fd);

#endif
