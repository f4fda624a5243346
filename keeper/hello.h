/* The hello: everything that a new supervisor is told before it takes over. */
#ifndef KEEPER_HELLO_H
#define KEEPER_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

/* False: the journal cannot be read. */
bool hello_write(struct buffer *out, uint32_t crashes);

#endif
