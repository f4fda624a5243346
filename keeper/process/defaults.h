/* What every process starts from besides the environment: nice value and limits, where these are not the keeper's own. */
#ifndef KEEPER_PROCESS_DEFAULTS_H
#define KEEPER_PROCESS_DEFAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* What is added to the nice value of what is started. */
int32_t defaults_nice(void);
/* Appends a list of numbers (resource, soft, hard): those of the defaults, then `more`. */
struct list defaults_limits(struct buffer *out, const struct list *more);
void defaults_set_nice(int32_t added);
void defaults_set_limits(const struct list *numbers);

void defaults_save(struct buffer *out);
bool defaults_load(struct reader *in);

#endif
