/* A worker's notify sockets: a datagram pair, and a named datagram socket. Each message becomes a `datagram` event. */
#pragma once

#include <sys/socket.h>

#include "protocol/wire.h"
#include "sockets/fetch.h"
#include "sockets/sockets.h"
#include "worker/worker.h"

/* Opens the requested sockets, for the worker's `identity` (user, group, …). `*workers_end`: the other end of the pair. -1 with errno; then nothing is open. */
int notify_open(struct notify *notify, bool pair, struct span name, const struct list *identity, int *workers_end);
/* Connects the datagram socket `fd`, which has lost its peer, to the bound socket, and gives it a name for answers. Only a
 * worker's end of a pair without a living peer is accepted: otherwise EPROTOTYPE. */
int notify_lead(const struct notify *notify, int fd);
/* The address of the worker's end; fd -1 if it cannot receive. */
struct destination notify_destination(const struct notify *notify);
/* Watches the sockets in the loop. */
int notify_watch(struct worker *worker);
/* Reads what is waiting on one socket (source 0: the pair, 1: the named one). */
void notify_read(struct worker *worker, uint8_t source);
/* Handles a datagram that was received elsewhere. */
void notify_take(struct worker *worker, uint8_t source, const struct datagram *datagram);
/* Receiving elsewhere has ended: reads here again. */
void notify_fetched(struct worker *worker, uint8_t source);
/* Whether datagrams must be received elsewhere, but that could not start yet. */
bool notify_waits_to_fetch(const struct notify *notify);
/* There may be room for that again: retries. */
void notify_fetch_again(struct worker *worker);
/* Reads both to the end, because the worker is gone. */
void notify_finish(struct worker *worker);
/* Events have released this many descriptors. */
void notify_descriptors_gone(uint32_t count);
/* One of its datagrams has been consumed. */
void notify_consumed(struct worker *worker);
void notify_close(struct notify *notify);

void notify_save(const struct notify *notify, struct buffer *out);
void notify_load(struct notify *notify, struct reader *in);
