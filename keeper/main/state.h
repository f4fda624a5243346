/* The parts of the state that a re-exec hands to the next image of the keeper. */
#ifndef KEEPER_MAIN_STATE_H
#define KEEPER_MAIN_STATE_H

#include "reexec/reexec.h"

extern const struct part state_parts[];

#endif
