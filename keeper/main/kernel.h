/* What the keeper needs of the kernel: asked for at its start, so that what is missing is one sentence. */
#ifndef KEEPER_MAIN_KERNEL_H
#define KEEPER_MAIN_KERNEL_H

#include <stdbool.h>

/* False, with a sentence on stderr, if it cannot run here at all. What it can do without is said, once. */
bool kernel_serves(void);

#endif
