/* Events that no commit has consumed yet, in their order, encoded as they go to the supervisor. */
#ifndef KEEPER_PROTOCOL_EVENTS_H
#define KEEPER_PROTOCOL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

/* Begins an event: add its fields to the buffer, then post it. One at a time. */
struct buffer *events_begin(uint8_t code);
/* It happened before now. */
void events_happened_at(uint64_t at);
/* Queues it. `source`: whose queue it counts in (a worker, a connection), see events_on_consumed. */
void events_post(uint64_t source);
/* A control connection's line. Those of strangers are counted apart, so that they get no more than their share. */
void events_post_line(uint64_t connection, bool is_stranger);
/* The same with descriptors, which belong to the event until a commit has consumed it. */
void events_post_with(uint64_t source, const int *fds, uint32_t count);
/* A command failed. */
void events_failed(uint8_t command, uint64_t id, const char *step, int error);

/* An event that is gone: what it was, whose, how big, how many descriptors it came with. */
struct gone {
  uint8_t code;
  uint64_t source;
  uint32_t size;
  uint32_t descriptors;
};
void events_on_gone(void (*handler)(const struct gone *gone));

uint32_t events_outstanding(void);
uint64_t events_bytes(void);
uint32_t events_count(uint8_t code);
/* Lines that are outstanding, of strangers or of the others. */
uint32_t events_lines(bool of_strangers);
uint64_t events_line_bytes(bool of_strangers);
uint64_t events_last(void);
uint64_t events_consumed(void);
/* When the oldest that is outstanding happened; 0 for none. */
uint64_t events_oldest(void);

/* Delivery. Rewinding starts again with the first outstanding one, for a new supervisor. */
void events_rewind(void);
/* Appends the next one, if there is one, with its time of delivery. */
bool events_deliver(struct buffer *out);
uint64_t events_delivered(void);
/* Everything up to `seq` is done. False if that was never delivered. */
bool events_consume(uint64_t seq);
/* Takes over a descriptor of an outstanding event; -1 with errno. */
int events_take_descriptor(uint64_t seq, uint32_t index);

/* The first outstanding event was delivered and its supervisor died. Returns how often that has happened to it. */
uint8_t events_blame_first(void);
/* Replaces the first one, if it is a line or a datagram, by a report. */
bool events_set_first_aside(void);

void events_save(struct buffer *out);
bool events_load(struct reader *in);

#endif
