/* The entry from the program into the engine, and all that keeper/ knows of it. Before this call, nothing of the engine's
 * memory is mapped. */
#ifndef ENGINE_START_H
#define ENGINE_START_H

/* Continues with the image in this program. `argv[1]` is the name of a command, followed by its arguments. */
_Noreturn void engine_start(int argc, char **argv);

#endif
