/* Events that no commit has consumed yet, in order, encoded as they are sent to the supervisor. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Begins an event: add its fields to the buffer, then post it. Only one at a time. */
struct buffer *events_begin(uint8_t code);
/* Sets an earlier time for the next event. */
void events_happened_at(uint64_t at);
/* Queues the event. `source`: the worker or connection that it comes from, see events_on_gone. */
void events_post(uint64_t source);
/* Queues a control connection's line. Strangers' lines are counted separately, to limit their share. */
void events_post_line(uint64_t connection, bool is_stranger);
/* The same with descriptors, which the event owns until a commit has consumed it. */
void events_post_with(uint64_t source, const int *fds, uint32_t count);
/* Posts the failure of a command. */
void events_failed(uint8_t command, uint64_t id, const char *step, int error);

/* An event that was removed: its code, source, size, and number of descriptors. */
struct gone {
  uint8_t code;
  uint64_t source;
  uint32_t size;
  uint32_t descriptors;
};
void events_on_gone(void (*handler)(const struct gone *gone));

uint32_t events_outstanding(void);
uint32_t events_count(uint8_t code);
/* Outstanding lines, of strangers or of all others. */
uint32_t events_lines(bool of_strangers);
uint64_t events_line_bytes(bool of_strangers);
uint64_t events_last(void);
uint64_t events_consumed(void);
/* When the oldest outstanding event happened; 0: none. */
uint64_t events_oldest(void);

/* Delivery. For a new supervisor, rewinding restarts it at the first outstanding event. */
void events_rewind(void);
/* Appends the next event with its delivery time. False if there is none. */
bool events_deliver(struct buffer *out);
uint64_t events_delivered(void);
/* Removes all events up to `seq`. False if that one was never delivered. */
bool events_consume(uint64_t seq);
/* Takes a descriptor from an outstanding event; -1 with errno. */
int events_take_descriptor(uint64_t seq, uint32_t index);

/* The supervisor died after the first outstanding event was delivered. Returns how often that has happened with this event. */
uint8_t events_blame_first(void);
/* Replaces the first event, if it is a line or a datagram, with a report. */
bool events_set_first_aside(void);

void events_save(struct buffer *out);
bool events_load(struct reader *in);
