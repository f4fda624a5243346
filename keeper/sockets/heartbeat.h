/* Sends a datagram per period (a watchdog's, to the machine's service manager) as long as events are being consumed. */
#pragma once

#include "protocol/wire.h"

/* The command heartbeat. */
void heartbeat_set(struct reader *command);

void heartbeat_save(struct buffer *out);
bool heartbeat_load(struct reader *in);
