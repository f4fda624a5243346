/* The keeper's end of the pair that it shares with its supervisor: bytes in and out, never waiting. */
#ifndef KEEPER_SUPERVISOR_CHANNEL_H
#define KEEPER_SUPERVISOR_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/poller.h"
#include "protocol/wire.h"

/* Opens a new pair, and has this end watched. The supervisor's end, or -1 with errno. */
int channel_open(struct watcher *watcher);
/* Takes a pair that was opened elsewhere, this end of it. False: it cannot be watched. */
bool channel_take(int fd, struct watcher *watcher);
void channel_close(void);
bool channel_is_open(void);

/* What is to be sent: add frames, then channel_send. */
struct buffer *channel_out(void);
/* Sends what the kernel takes and watches for the rest. False: the other side is gone. */
bool channel_send(void);

enum channel_result { CHANNEL_MORE, CHANNEL_EMPTY, CHANNEL_GONE };
/* Reads a piece into `in`. */
enum channel_result channel_read(struct buffer *in);

#endif
