/* Restart policy for supervisors: counts failures, finds the event that causes them, and computes the pause before the next
 * start. Rule 8 of docs/reference/keeper-protocol.md. */
#pragma once

#include "app/basics.h"

/* The pause after the first failure, in ms; it doubles with each further failure. */
enum { FIRST_PAUSE_MS = 100 };

/* The supervisor was greeted, has attached, has committed a batch: resets the counters that this clears. */
void restart_policy_greeted(void);
void restart_policy_attached(void);
void restart_policy_committed(void);
/* The supervisor went to sleep, or a candidate replaced it: resets the crash count. */
void restart_policy_forget(void);

/* Counts a crash. */
void restart_policy_count(void);
/* The supervisor could not be started, or ended before it attached. `what`: a description; `at_boot`: none has ever attached,
 * and there are no workers. Returns the pause before the next start, in ms; 0: give up, after too many failures at boot. */
uint64_t restart_policy_start_failed(const char *what, bool at_boot);
/* The supervisor died after it attached; `from_outside`: by a SIGKILL that the keeper did not send. Returns the pause before
 * the next start, in ms; 0: none. */
uint64_t restart_policy_died(const char *what, bool from_outside);

/* Number of crashes since the last sleep. */
uint32_t restart_policy_crashes(void);
void restart_policy_restore(uint32_t crashes);
/* Whether the last start failed. */
bool restart_policy_start_is_owed(void);
/* An event has caused a crash before: events must be delivered one at a time. */
bool restart_policy_one_at_a_time(void);
