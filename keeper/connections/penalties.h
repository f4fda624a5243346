/* Rate limit for addresses whose clients the supervisor refused: their next connections wait, longer with each refusal. The
 * table is bounded; the address whose last refusal is oldest is dropped first. */
#pragma once

#include <sys/socket.h>

#include "app/basics.h"

enum { PENALTY_ADDRESS_TEXT = 48 };

/* An address without its port; for IPv6 only the /64 network, which one customer usually owns. */
struct source {
  uint8_t bytes[9]; /* address family, then the address */
};

/* The source of a connection's peer. False if it has none (a unix socket). */
bool penalty_source(int fd, struct source *source, char text[PENALTY_ADDRESS_TEXT]);
/* Adds a refusal. Returns the number of refusals so far; `until`: the time until which connections of this source wait,
 * CLOCK_MONOTONIC ms. */
uint32_t penalty_add(const struct source *source, uint64_t *until);
/* The time until which a connection of this source must wait; 0: no wait. */
uint64_t penalty_until(const struct source *source);
