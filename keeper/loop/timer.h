/* The keeper's own deadlines: one timer descriptor, armed for the earliest of them, never periodic. A timer belongs to its user
 * and carries its callback. */
#pragma once

#include "app/basics.h"

struct timer {
  void (*expired)(void); /* NULL: the owner checks `at` itself */
  uint64_t at;           /* CLOCK_MONOTONIC ms; 0: not set. Read-only for owners */
  bool is_due;
  bool is_listed;
  struct timer *next;
};

/* Opens the timer descriptor and watches it; -1 with errno. */
int timer_open(void);
/* Sets the time (CLOCK_MONOTONIC ms); 0: none. */
void timer_set(struct timer *timer, uint64_t at);
/* Like timer_set, unless an earlier time is set. */
void timer_set_by(struct timer *timer, uint64_t at);
/* Arms the descriptor for the earliest timer; call it before each wait. */
void timer_arm(void);
