/* What a supervisor is started from: a runtime that is held open, and, where the commands are not compiled into it, a
 * copy of the bundle, so that what was checked is what runs, whatever becomes of the files. */
#ifndef KEEPER_PROGRAM_H
#define KEEPER_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "launch.h"
#include "wire.h"

struct program {
  int runtime;
  int bundle; /* -1: compiled into the runtime */
  char *path; /* of the runtime */
};

#define NO_PROGRAM ((struct program){.runtime = -1, .bundle = -1})

/* Opens and uses the first one: the installed runtime, or the one that CRANK_RUNTIME names. False, with a sentence on stderr. */
bool program_prepare(void);
/* Opens one. -1 with errno and the step (runtime, bundle). */
int program_open(struct program *program, const char *runtime, const char *bundle, const char **step);
void program_close(struct program *program);
/* From here on supervisors are started from this one. */
void program_use(struct program *program);
/* The one that supervisors are started from. */
const struct program *program_used(void);
/* Starts a supervisor with the channel's other end on 3. `extra`: one more variable, NULL for none. The pid, or -1 with
 * errno and the step. */
pid_t program_start(const struct program *program, int channel_end, const char *extra, struct report *report, const char **step);

void program_save(struct buffer *out);
bool program_load(struct reader *in);

#endif
