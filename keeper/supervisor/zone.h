/* The local time zone according to libc: the same for workers' lines and for the supervisor. */
#pragma once

#include "app/basics.h"

/* The offset in seconds east of UTC until `until` (seconds since 1970), and the offset after that. */
struct zone {
  int32_t offset;
  int32_t next_offset;
  uint64_t until;
};

/* The zone at this time, in seconds since 1970. */
struct zone zone_at(uint64_t from);
