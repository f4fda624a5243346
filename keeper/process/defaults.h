/* Defaults of every process besides the environment: nice value and limits, if they differ from the keeper's own. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* The value that is added to the nice value of started processes. */
int32_t defaults_nice(void);
/* Appends a list of numbers (resource, soft, hard): the defaults, then `more`. */
struct list defaults_limits(struct buffer *out, const struct list *more);
void defaults_set_nice(int32_t added);
void defaults_set_limits(const struct list *numbers);

void defaults_save(struct buffer *out);
bool defaults_load(struct reader *in);
