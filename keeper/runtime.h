/* How a TypeScript runtime is called so that nothing in the working directory or the environment changes what it does. */
#ifndef KEEPER_RUNTIME_H
#define KEEPER_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

/* The runtime's path: CRANK_RUNTIME, or <home>/bin/runtime. To be freed. */
char *runtime_path(const char *home, const char *chosen);
/* bin/runtime has every command compiled into it and wants the command's name; any other runtime wants a bundle. */
bool runtime_has_commands(const char *path);
/* The arguments that come before a command's name or its bundle: argv[0], then the options. How many; `options` has
 * room for RUNTIME_OPTIONS. */
enum { RUNTIME_OPTIONS = 8 };
uint32_t runtime_options(const char *path, const char *options[RUNTIME_OPTIONS]);
/* The same for the command `name`, or where the runtime has none for a bundle on standard input. */
uint32_t runtime_options_for(const char *path, const char *name, const char *options[RUNTIME_OPTIONS]);

#endif
