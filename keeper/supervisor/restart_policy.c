#include "supervisor/restart_policy.h"

#include "app/facts.h"
#include "protocol/events.h"
#include "supervisor/program.h"

enum {
  LONGEST_PAUSE_MS = 30 * 1000,
  STARTS_AT_BOOT = 5,
  DEATHS_WITHOUT_PROGRESS = 3,
  BLAMED_TOO_OFTEN = 3,
};

static uint32_t crashes;       /* since the last sleep, or since the start */
static uint32_t failed_starts; /* in a row, before the supervisor attached */
static uint32_t stuck_deaths;  /* in a row, without a consumed event */
static uint64_t consumed_at_start;
static bool one_at_a_time;
static bool said_trouble;

void restart_policy_greeted(void) {
  consumed_at_start = events_consumed();
}

void restart_policy_attached(void) {
  said_trouble = false;
  failed_starts = 0;
}

void restart_policy_committed(void) {
  if (events_consumed() <= consumed_at_start) return;
  stuck_deaths = 0;
  one_at_a_time = false;
}

void restart_policy_forget(void) {
  crashes = 0;
}

void restart_policy_count(void) {
  crashes++;
}

static uint64_t pause_after(uint32_t failures) {
  uint64_t pause = FIRST_PAUSE_MS;
  for (uint32_t i = 1; i < failures && pause < LONGEST_PAUSE_MS; i++) pause *= 2;
  return pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
}

uint64_t restart_policy_start_failed(const char *what, bool at_boot) {
  failed_starts++;
  if (at_boot && failed_starts >= STARTS_AT_BOOT) {
    say("the supervisor cannot be started: %s; check %s", what, program_used()->path);
    return 0;
  }
  if (!at_boot && !said_trouble) {
    say("the supervisor cannot be started: %s; workers keep running, and crank retries", what);
    said_trouble = true;
  }
  return pause_after(failed_starts);
}

/* After a second death on the same event, events are delivered one at a time. An event that kills three supervisors is set
 * aside. */
static void blame(void) {
  stuck_deaths = events_consumed() > consumed_at_start ? 1 : stuck_deaths + 1;
  if (events_delivered() <= events_consumed()) return;
  uint8_t times = events_blame_first();
  if (times >= 2) one_at_a_time = true;
  if (times >= BLAMED_TOO_OFTEN && events_set_first_aside()) stuck_deaths = 1;
}

uint64_t restart_policy_died(const char *what, bool from_outside) {
  if (from_outside) return 0;
  blame();
  if (stuck_deaths <= DEATHS_WITHOUT_PROGRESS) return 0;
  if (!said_trouble) say("the supervisor dies repeatedly (%s); workers keep running, and crank retries", what);
  said_trouble = true;
  return pause_after(stuck_deaths - DEATHS_WITHOUT_PROGRESS);
}

uint32_t restart_policy_crashes(void) {
  return crashes;
}

void restart_policy_restore(uint32_t number) {
  crashes = number;
}

bool restart_policy_start_is_owed(void) {
  return failed_starts > 0;
}

bool restart_policy_one_at_a_time(void) {
  return one_at_a_time;
}
