/* What later processes start from, where a wrapper of the supervisor has changed that: environment, directory, umask,
 * limits and nice value. */
#ifndef KEEPER_EINHORN_BASE_H
#define KEEPER_EINHORN_BASE_H

#include <stdbool.h>

#include "protocol/wire.h"

/* Whether these are the fields of a `base` frame. */
bool base_is_valid(const void *fields, size_t length);
/* Takes the fields of a `base` frame. */
void base_take(struct reader fields);
/* Sends a `base` frame: what this process was left with. False: the other end of the channel is closed. */
bool base_say(int channel);

#endif
