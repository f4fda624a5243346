/* The local time zone, as libc knows it: the one clock of workers' lines and of the supervisor's own. */
#ifndef KEEPER_SUPERVISOR_ZONE_H
#define KEEPER_SUPERVISOR_ZONE_H

#include <stdint.h>

/* Seconds east of UTC at `from` and until `until`, and behind that, of seconds since 1970. */
struct zone {
  int32_t offset;
  int32_t next_offset;
  uint64_t until;
};

/* At this time, of seconds since 1970. */
struct zone zone_at(uint64_t from);

#endif
