/* What a supervisor is started from: a program that is held open, so that what was checked is what runs, whatever becomes of
 * its file. */
#ifndef KEEPER_SUPERVISOR_PROGRAM_H
#define KEEPER_SUPERVISOR_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/launch.h"
#include "protocol/wire.h"

/* What argv[0] makes this program a supervisor; argv[1] is its command's name. */
#define SUPERVISOR_NAME "crank-supervisor"

struct program {
  int fd;
  char *path;
};

#define NO_PROGRAM ((struct program){.fd = -1})

/* From here on supervisors are started from the program that this process runs. -1 with errno. */
int program_use_own(void);
/* Opens one. -1 with errno. */
int program_open(struct program *program, const char *path);
void program_close(struct program *program);
/* From here on supervisors are started from this one. */
void program_use(struct program *program);
/* The one that supervisors are started from. */
const struct program *program_used(void);
/* Starts a supervisor with the channel's other end on 3. `variables`: pairs that its environment has besides, or NULL. The pid,
 * or -1 with errno and the step. */
pid_t program_start(const struct program *program, int channel_end, const struct list *variables, struct report *report,
                    const char **step);

void program_save(struct buffer *out);
bool program_load(struct reader *in);

#endif
