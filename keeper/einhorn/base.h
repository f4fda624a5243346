/* What later processes start from, where a wrapper of the supervisor has changed that: environment, directory, umask,
 * limits and nice value. */
#ifndef KEEPER_EINHORN_BASE_H
#define KEEPER_EINHORN_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* Takes the fields of a `base` frame. */
void base_take(struct reader fields);
/* Says to whoever is at the other end of the channel what this process was left with. False: nobody is there any more. */
bool base_say(int channel);

/* What is added to the nice value of what is started. */
int32_t base_nice(void);
/* Appends a list of numbers (resource, soft, hard): those of the base, then `more`. */
struct list base_limits(struct buffer *out, const struct list *more);

void base_save(struct buffer *out);
bool base_load(struct reader *in);

#endif
