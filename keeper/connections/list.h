/* All connections, and which of them is the next to resume or the first to make room. Internal to this room. */
#pragma once

#include "connections/connection.h"

uint32_t list_count(void);
struct connection *list_at(uint32_t index);
/* NULL if there is none. */
struct connection *list_find(uint64_t id);
struct connection *list_add(struct connection *connection);
void list_remove(const struct connection *connection);
/* The number of strangers. */
uint32_t list_strangers(void);
/* The earliest deadline; 0: none. A connection that has delivered a line, or is closed, has none. */
uint64_t list_first_due(void);
/* Strangers with the same user and listener share a limit, so that they do not delay other users: counts the queued lines of the
 * others. */
void list_count_elsewhere(struct connection *connection);
/* The paused connection to resume: the owner's before strangers', and within each group the one that has waited for longest. */
struct connection *list_next_to_resume(void);
/* The stranger that has been silent for longest, and the number of silent ones. A new worker has no deadline, and does not
 * count. */
struct connection *list_oldest_silent(uint32_t *silent);
/* The connection that holds most bytes, strangers first. */
struct connection *list_biggest(void);
