/* The keeper as a whole: its start, its loop and its end. It connects the parts, which do not know each other. */
#ifndef KEEPER_MAIN_KEEPER_H
#define KEEPER_MAIN_KEEPER_H

_Noreturn void keeper_run(int argc, char **argv);

#endif
