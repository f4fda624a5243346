/* The program that supervisors are started from. It is kept open, so that the program that was checked is the one that runs,
 * even if its file changes. */
#pragma once

#include "process/launch.h"
#include "protocol/wire.h"

/* argv[0] that makes this program a supervisor; argv[1] is the name of its command. */
#define SUPERVISOR_NAME "crank-supervisor"

struct program {
  int fd;
  char *path;
};

#define NO_PROGRAM ((struct program){.fd = -1})

/* From now on, supervisors are started from the program of this process. -1 with errno. */
int program_use_own(void);
/* Opens a program. -1 with errno. */
int program_open(struct program *program, const char *path);
void program_close(struct program *program);
/* From now on, supervisors are started from this program. Takes ownership. */
void program_use(struct program *program);
/* The program that supervisors are started from. */
const struct program *program_used(void);
/* Starts a supervisor with the channel's other end as descriptor 3. `variables`: additional pairs for its environment, or NULL.
 * Returns the pid, or -1 with errno and the step. */
pid_t program_start(const struct program *program, int channel_end, const struct list *variables, struct report *report,
                    const char **step);

void program_save(struct buffer *out);
bool program_load(struct reader *in);
