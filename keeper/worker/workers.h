/* The processes that the supervisor asked for: started, adopted, signalled, and their ends collected and told in order. */
#ifndef KEEPER_WORKER_WORKERS_H
#define KEEPER_WORKER_WORKERS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"
#include "sockets/fetch.h"

/* Commands. A failure becomes an event. */
void workers_spawn(struct reader *command);
void workers_adopt(struct reader *command);
void workers_signal(struct reader *command);
void workers_send(struct reader *command);
void workers_send_descriptors(struct reader *command);
void workers_follow_main(struct reader *command);

/* All of its output is passed on, after its end. */
void workers_output_drained(uint64_t worker);
/* A child has ended. False: it is no worker, and not reaped. */
bool workers_child_gone(const siginfo_t *info);

/* Consumed events give their places back. */
void workers_datagram_consumed(uint64_t worker);
void workers_end_consumed(uint64_t worker);

/* Whether a connection from this process is the one that a worker was started with; true once for each. */
bool workers_expect_connection(uint32_t pid);

/* The number of the latest start, and whether all starts up to one are decided: for barriers. */
uint64_t workers_starts(void);
bool workers_started_up_to(uint64_t start);
/* How many are being started, running, or not told of yet. */
uint32_t workers_alive(void);

/* Appends the helloWorker frames. */
void workers_hello(struct buffer *out);
/* Reads all notify sockets: before a tick, so that a readiness that waits wins over its timeout. */
void workers_sweep(void);
/* Removes the sockets that have a name; the keeper ends. */
void workers_leave(void);

void workers_save(struct buffer *out);
bool workers_load(struct reader *in);
void worker_main_save(struct buffer *out);
bool worker_main_load(struct reader *in);

/* A datagram that was received elsewhere (fetch.h): its descriptors belong to it, or are closed. */
void workers_take_datagram(uint64_t id, uint8_t source, const struct datagram *datagram);
/* Nothing more of a worker's is received elsewhere, for now. */
void workers_fetched(uint64_t id, uint8_t source);
/* There may be room for what could not be received elsewhere. */
void workers_fetch_again(void);
/* Leads a worker's end of its notify pair, which was taken out of it, to the socket that is bound. -1 with errno. */
int workers_lead_notify(uint64_t id, int fd);

#endif
