#include "supervisor/zone.h"

#include <time.h>

enum { DAY = 24 * 3600, FAR_DAYS = 400 };

static int32_t offset_at(uint64_t second) {
  time_t at = (time_t)second;
  struct tm local = {.tm_mday = 1};
  if (!localtime_r(&at, &local)) return 0;
  return (int32_t)local.tm_gmtoff;
}

/* Assumes that no zone changes twice within a day: checks each day, then bisects the day of the change. */
static struct zone look(uint64_t from) {
  struct zone zone = {.offset = offset_at(from), .until = from + (uint64_t)FAR_DAYS * DAY};
  zone.next_offset = zone.offset;
  uint64_t before = from;
  for (int day = 1; day <= FAR_DAYS; day++) {
    uint64_t after = from + (uint64_t)day * DAY;
    if (offset_at(after) != zone.offset) {
      while (after - before > 1) {
        uint64_t middle = before + (after - before) / 2;
        if (offset_at(middle) == zone.offset) before = middle;
        else after = middle;
      }
      zone.until = after;
      zone.next_offset = offset_at(after);
      return zone;
    }
    before = after;
  }
  return zone;
}

struct zone zone_at(uint64_t from) {
  static struct zone known;
  static uint64_t looked_at;
  if (looked_at == 0 || from < looked_at || from >= known.until) {
    known = look(from);
    looked_at = from;
  }
  return known;
}
