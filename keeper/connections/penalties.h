/* Addresses whose clients were turned away by the supervisor for what they showed: their next connections wait, each time
 * longer. Bounded; the address that has been quiet for longest is forgotten first. */
#ifndef KEEPER_CONNECTIONS_PENALTIES_H
#define KEEPER_CONNECTIONS_PENALTIES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { PENALTY_ADDRESS_TEXT = 48 };

/* An address without its port; of IPv6 the network that one customer has (/64). */
struct source {
  uint8_t bytes[9]; /* the family's mark, then the address */
};

/* Of a connection's peer. False: it has none (a unix socket). */
bool penalty_source(int fd, struct source *source, char text[PENALTY_ADDRESS_TEXT]);
/* One more. Returns how often it was by now; `until`: how long its connections wait, CLOCK_MONOTONIC ms. */
uint32_t penalty_add(const struct source *source, uint64_t *until);
/* Until when a connection of it has to wait; 0: not at all. */
uint64_t penalty_until(const struct source *source);

#endif
