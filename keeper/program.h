/* What the next supervisor is started from: a runtime that is held open, and, where the commands are not compiled into
 * it, a copy of the bundle, so that what was checked is what runs, whatever becomes of the files. */
#ifndef KEEPER_PROGRAM_H
#define KEEPER_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "launch.h"
#include "wire.h"

/* Opens them. -1 with errno and the step (runtime, bundle); what was held before stays. */
int program_open(const char *runtime, const char *bundle, const char **step);
/* Starts a supervisor with the channel's other end on 3. The pid, or -1 with errno and the step. */
pid_t program_start(int channel_end, struct report *report, const char **step);
const char *program_runtime(void);

void program_save(struct buffer *out);
bool program_load(struct reader *in);

#endif
