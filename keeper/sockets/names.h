/* The file system names of the keeper's unix sockets: given to another user, watched by inotify(7), restored when something
 * removes them, and removed at the end. */
#pragma once

#include "protocol/wire.h"

/* The handle's socket was just bound at this path. */
void names_made(uint64_t handle, const char *path);
/* The handle is closed: its name stays, its spare name is removed. */
void names_forget(uint64_t handle);

void names_give(struct reader *command);
void names_watch(struct reader *command);
void names_remove(struct reader *command);
void names_bind_again(struct reader *command);

void names_save(struct buffer *out);
bool names_load(struct reader *in);
