/* Control connections: accepted, read by lines, written to, bounded in everything; none of it wakes a supervisor before a
 * complete line is there. */
#ifndef KEEPER_CONNECTIONS_STREAMS_H
#define KEEPER_CONNECTIONS_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"
#include "sockets/handles.h"

/* Commands. A failure becomes an event. */
void streams_accept_on(struct reader *command);
void streams_accept_heads(struct reader *command);
void streams_write(struct reader *command);
void streams_follow(struct reader *command);

/* Connections wait on a listening socket. */
void streams_accept(struct handle *listener);
/* There are lines for one that follows. */
void streams_output_ready(uint64_t connection);
/* Accepts again, if there is room. */
void streams_accept_again(void);

/* A line of `size` bytes has been consumed: all that waited for that go on. */
void streams_line_consumed(uint64_t connection, uint32_t size);
/* Appends the helloConnection frames. */
void streams_hello(struct buffer *out);
/* The keeper ends: sends what is queued, for at most so long. */
void streams_flush(int timeout_ms);

void streams_save(struct buffer *out);
bool streams_load(struct reader *in);

#endif
