/* The names in the file system by which the keeper's unix sockets are reached: given away, watched by inotify(7), put back
 * when something removes them, and removed at the end. */
#ifndef KEEPER_SOCKETS_NAMES_H
#define KEEPER_SOCKETS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* A handle's socket has just been bound at this path. */
void names_made(uint64_t handle, const char *path);
/* A handle is closed: its name is nothing to us any more, and stays; the second one is removed. */
void names_forget(uint64_t handle);

void names_give(struct reader *command);
void names_watch(struct reader *command);
void names_remove(struct reader *command);
void names_bind_again(struct reader *command);

void names_save(struct buffer *out);
bool names_load(struct reader *in);

#endif
