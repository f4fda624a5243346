/* The deadlines that the keeper itself has: one timer descriptor, armed for the next of them, never periodic. A timer belongs
 * to what waits for it, and carries what is called. */
#ifndef KEEPER_LOOP_TIMER_H
#define KEEPER_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
  void (*expired)(void); /* NULL: the owner looks whether it is set */
  uint64_t at; /* CLOCK_MONOTONIC ms; 0: not set. Only to be read */
  bool is_due;
  bool is_listed;
  struct timer *next;
};

/* Opens the timer descriptor and watches it; -1 with errno. */
int timer_open(void);
/* Sets it for this time (CLOCK_MONOTONIC ms), 0 for none. */
void timer_set(struct timer *timer, uint64_t at);
/* The same, unless it is set for an earlier time. */
void timer_set_by(struct timer *timer, uint64_t at);
/* Arms the descriptor for the next one; before each wait. */
void timer_arm(void);

#endif
