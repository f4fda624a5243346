/* A worker's notify sockets: a datagram pair, and a datagram socket with a name. What comes becomes `datagram` events. */
#ifndef KEEPER_WORKER_NOTIFY_H
#define KEEPER_WORKER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/wire.h"
#include "sockets/fetch.h"
#include "sockets/sockets.h"
#include "worker/worker.h"

/* Opens what is wanted. `*workers_end`: the other end of the pair. -1 with errno, and nothing is open. */
int notify_open(struct notify *notify, bool pair, const char *path, uint32_t uid, uint32_t gid, int *workers_end);
/* Leads the datagram socket `fd`, whose other end was lost, to the socket that is bound, and gives it a name to be answered
 * at. Only a worker's end of a pair without a living peer is touched: EPROTOTYPE otherwise. */
int notify_lead(const struct notify *notify, int fd);
/* Where the worker's end hears; no descriptor (-1) if it does not. */
struct destination notify_destination(const struct notify *notify);
/* From now on what comes wakes the loop. */
int notify_watch(struct worker *worker);
/* Reads what waits on one of the two (source 0: the pair, 1: the name). */
void notify_read(struct worker *worker, uint8_t source);
/* What was received elsewhere. */
void notify_take(struct worker *worker, uint8_t source, const struct datagram *datagram);
/* Nothing more comes from elsewhere: it is read here again. */
void notify_fetched(struct worker *worker, uint8_t source);
/* Whether something is to be received elsewhere, and could not begin. */
bool notify_waits_to_fetch(const struct notify *notify);
/* There may be room again for that. */
void notify_fetch_again(struct worker *worker);
/* Reads both to the end: the worker is gone. */
void notify_finish(struct worker *worker);
/* Events have let go of so many descriptors. */
void notify_descriptors_gone(uint32_t count);
/* One of its datagrams has been consumed. */
void notify_consumed(struct worker *worker);
void notify_close(struct notify *notify);

void notify_save(const struct notify *notify, struct buffer *out);
void notify_load(struct notify *notify, struct reader *in);

#endif
