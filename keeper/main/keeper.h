/* The keeper as a whole: its start, its loop and its end. It connects the parts, which do not know each other. */
#pragma once

_Noreturn void keeper_run(int argc, char **argv);
