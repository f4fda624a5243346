/* The processes that the supervisor asked for: starts, adopts and signals them, and reports their ends in order. */
#pragma once

#include <signal.h>

#include "protocol/wire.h"
#include "sockets/fetch.h"

/* Commands. A failure is reported as an event. */
void workers_spawn(struct reader *command);
void workers_adopt(struct reader *command);
void workers_signal(struct reader *command);
void workers_send(struct reader *command);
void workers_send_descriptors(struct reader *command);
void workers_follow_main(struct reader *command);

/* All of its output was passed on after its end. */
void workers_output_drained(uint64_t worker);
/* A child has ended. False if it is not a worker; then it is not reaped. */
bool workers_child_gone(const siginfo_t *info);

/* Consumed events free their places in the queues. */
void workers_datagram_consumed(uint64_t worker);
void workers_end_consumed(uint64_t worker);

/* Whether a connection from this process is the one that a worker was started with; true once per worker. */
bool workers_expect_connection(uint32_t pid);

/* The number of the latest start, and whether all starts up to one are decided; for barriers. */
uint64_t workers_starts(void);
bool workers_started_up_to(uint64_t start);
/* The number of workers that are starting, running, or whose end is not reported yet. */
uint32_t workers_alive(void);

/* Appends the helloWorker frames. */
void workers_hello(struct buffer *out);
/* Reads all notify sockets. Call it before a tick, so that a waiting readiness comes before its timeout. */
void workers_sweep(void);
/* Removes the named sockets before the keeper exits. */
void workers_leave(void);

void workers_save(struct buffer *out);
bool workers_load(struct reader *in);
void worker_main_save(struct buffer *out);
bool worker_main_load(struct reader *in);

/* Takes a datagram that was received elsewhere (fetch.h), and takes over or closes its descriptors. */
void workers_take_datagram(uint64_t id, uint8_t source, const struct datagram *datagram);
/* Receiving a worker's datagrams elsewhere has ended for now. */
void workers_fetched(uint64_t id, uint8_t source);
/* There may be room again for receiving elsewhere. */
void workers_fetch_again(void);
/* Connects a worker's end of its notify pair, which was taken from the worker, to the bound socket. -1 with errno. */
int workers_lead_notify(uint64_t id, int fd);
