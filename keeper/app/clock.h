/* Time, and the few deadlines that the keeper itself has: one timer descriptor, armed for the next of them, never periodic. */
#ifndef KEEPER_APP_CLOCK_H
#define KEEPER_APP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum deadline {
  DEADLINE_TICK,
  DEADLINE_ANSWER,
  DEADLINE_RESTART,
  DEADLINE_CANDIDATE,
  DEADLINE_STREAMS,
  DEADLINE_ACCEPT,
  DEADLINE_HEARTBEAT,
  DEADLINE_WATCHDOG,
  DEADLINE_EXITS,
  DEADLINE_FETCH,
  DEADLINE_JOURNAL,
  DEADLINE_NAMES,
  DEADLINE_TREES,
  DEADLINES
};

/* CLOCK_MONOTONIC, ms. */
uint64_t clock_now(void);
/* CLOCK_REALTIME - CLOCK_MONOTONIC, ms. */
uint64_t clock_realtime_offset(void);

/* Opens the timer descriptor; -1 with errno. */
int clock_open(void);
/* Sets a deadline (CLOCK_MONOTONIC ms), 0 for none. */
void clock_set(enum deadline deadline, uint64_t at);
uint64_t clock_get(enum deadline deadline);
/* Takes a deadline that has passed: true once, and it is set no more. */
bool clock_take(enum deadline deadline);
/* Arms the descriptor for the next deadline; before each wait. */
void clock_arm(void);
/* Empties the descriptor after it woke the loop. */
void clock_clear(void);

#endif
