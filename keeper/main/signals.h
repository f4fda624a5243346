/* Signals, all blocked and read from a descriptor: ends of children, and what is the supervisor's to know. */
#ifndef KEEPER_MAIN_SIGNALS_H
#define KEEPER_MAIN_SIGNALS_H

/* Blocks them, with default dispositions. */
void signals_block(void);
/* Opens the descriptor; -1 with errno. */
int signals_open(void);
/* Takes what has come: tells of it, and collects children. */
void signals_read(void);
/* Collects the children that have ended. */
void signals_collect_children(void);
/* Ends the process if it is not told otherwise within so many seconds, also when it executes itself (0: tells otherwise). */
void signals_dead_mans_alarm(unsigned int seconds);

#endif
