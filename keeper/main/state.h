/* The parts of the state that a re-exec hands to the next image of the keeper. */
#pragma once

#include "reexec/reexec.h"

extern const struct part state_parts[];
