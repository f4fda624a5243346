/* The process title, as ps shows it. It overwrites the arguments and the environment where the kernel put them, because the
 * kernel reads the title there (proc_pid_cmdline(5)). */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Remembers where the arguments and the environment are. Returns copies of the arguments, which a title does not overwrite. */
char **process_title_start(int argc, char **argv);
/* Truncates a title that does not fit. */
void process_title_set(struct span title);

void process_title_save(struct buffer *out);
bool process_title_load(struct reader *in);
