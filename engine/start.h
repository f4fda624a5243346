/* The way from the program into the engine: all that keeper/ knows of it. Nothing of the engine's memory is there before. */
#ifndef ENGINE_START_H
#define ENGINE_START_H

/* Goes on with the image in this program. `argv[1]` is the name of a command, what follows are its arguments. */
_Noreturn void engine_start(int argc, char **argv);

#endif
