/* What is held against supervisors that die: how often in a row, which event was to blame, and how long to pause before the
 * next one. Rule 8 of docs/reference/keeper-protocol.md. */
#ifndef KEEPER_SUPERVISOR_RESTART_POLICY_H
#define KEEPER_SUPERVISOR_RESTART_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* The pause after the first failure, ms; it doubles with each one more. */
enum { FIRST_PAUSE_MS = 100 };

/* One has been greeted, has attached, has committed a batch: what that makes good. */
void restart_policy_greeted(void);
void restart_policy_attached(void);
void restart_policy_committed(void);
/* One has gone to sleep, or taken another's place: those that died before count no more. */
void restart_policy_forget(void);

/* One has died. */
void restart_policy_count(void);
/* It could not be started, or had not attached. `what`: how, for people; `at_boot`: no one ever has, and there are no
 * workers, so after too many times there is no next one: 0. The pause before the next one, ms. */
uint64_t restart_policy_start_failed(const char *what, bool at_boot);
/* It had attached; `from_outside`: by a SIGKILL that is no fault of its own. The pause before the next one, ms; 0: none. */
uint64_t restart_policy_died(const char *what, bool from_outside);

/* How many have died since one slept. */
uint32_t restart_policy_crashes(void);
void restart_policy_restore(uint32_t crashes);
/* The last start failed. */
bool restart_policy_start_is_owed(void);
/* An event has been blamed before: none is to be sent beside another. */
bool restart_policy_one_at_a_time(void);

#endif
