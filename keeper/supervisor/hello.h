/* The hello: all that a new supervisor must know before it takes over. */
#ifndef KEEPER_SUPERVISOR_HELLO_H
#define KEEPER_SUPERVISOR_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* False if the journal cannot be read. */
bool hello_write(struct buffer *out, uint32_t crashes);

#endif
