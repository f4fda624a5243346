/* What the keeper hands on to its next image, part by part. */
#ifndef KEEPER_MAIN_STATE_H
#define KEEPER_MAIN_STATE_H

#include "reexec/reexec.h"

extern const struct part state_parts[];

#endif
