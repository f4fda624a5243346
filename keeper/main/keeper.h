/* The keeper as a whole: how it starts, its loop, how it ends. Here the parts are connected, which do not know each other. */
#ifndef KEEPER_MAIN_KEEPER_H
#define KEEPER_MAIN_KEEPER_H

_Noreturn void keeper_run(int argc, char **argv);

#endif
