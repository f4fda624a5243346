/* Control connections: accepted, read line by line, written to, with a limit on everything. No connection wakes a supervisor
 * before it has sent a complete line. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Call it before the first connection. */
void streams_start(void);

/* Commands. A failure is reported as an event. */
void streams_write(struct reader *fields);
void streams_follow(struct reader *fields);

/* Output lines are available for a connection that follows. */
void streams_output_ready(uint64_t connection);

/* A line of `size` bytes has been consumed: resumes the connections that waited for it. */
void streams_line_consumed(uint64_t connection, uint32_t size);
/* Appends the helloConnection frames. */
void streams_hello(struct buffer *out);
/* Before the keeper exits: sends the queued output, for at most this time. */
void streams_flush(int timeout_ms);

void streams_save(struct buffer *out);
bool streams_load(struct reader *in);
