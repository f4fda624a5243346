/* The process title, as ps shows it. It takes the place of the arguments and the environment in the memory where the kernel
 * put them, which is where it looks for them (proc_pid_cmdline(5)). */
#ifndef KEEPER_EINHORN_PROCESS_TITLE_H
#define KEEPER_EINHORN_PROCESS_TITLE_H

#include <stdbool.h>

#include "protocol/wire.h"

/* Notes where they lie. Returns copies of the arguments, which a title leaves alone. */
char **process_title_start(int argc, char **argv);
/* A title that is longer than the place is cut. */
void process_title_set(struct span title);

void process_title_save(struct buffer *out);
bool process_title_load(struct reader *in);

#endif
