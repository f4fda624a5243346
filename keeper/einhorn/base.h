/* The base of later processes after a wrapper of the supervisor has changed it: environment, directory, umask, limits and nice
 * value. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Whether the bytes are the fields of a `base` frame. */
bool base_is_valid(const void *fields, size_t length);
/* Applies the fields of a `base` frame. */
void base_take(struct reader fields);
/* Sends a `base` frame with the attributes of this process. False if the other end of the channel is closed. */
bool base_say(int channel);
