/* The keeper's end of the socket pair to its supervisor: non-blocking reads and writes. */
#pragma once

#include "loop/poller.h"
#include "protocol/wire.h"

/* Opens a new pair and watches this end. Returns the supervisor's end, or -1 with errno. */
int channel_open(struct watcher *watcher);
/* Takes over this end of a pair that was opened elsewhere. False if it cannot be watched. */
bool channel_take(int fd, struct watcher *watcher);
void channel_close(void);
bool channel_is_open(void);

/* Output buffer: add frames, then call channel_send. */
struct buffer *channel_out(void);
/* Sends what the kernel accepts, and watches for room for the rest. False if the other end is gone. */
bool channel_send(void);

enum channel_result { CHANNEL_MORE, CHANNEL_EMPTY, CHANNEL_GONE };
/* Reads a part into `in`. */
enum channel_result channel_read(struct buffer *in);
