/* The short-lived process between the keeper and what it starts: makes itself into the target step by step. */
#ifndef KEEPER_SHIM_H
#define KEEPER_SHIM_H

/* `payload`: the number of the memory file that launch.c wrote. */
_Noreturn void shim_run(const char *payload);

#endif
