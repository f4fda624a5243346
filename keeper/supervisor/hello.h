/* The hello: all that a new supervisor must know before it takes over. */
#pragma once

#include "protocol/wire.h"

/* False if the journal cannot be read. */
bool hello_write(struct buffer *out, uint32_t crashes);
