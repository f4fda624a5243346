/* How soon a thread of ours runs when it is woken while others use all processors. Where something is not permitted, or
 * not known to the kernel, it stays as it was. */
#ifndef KEEPER_APP_PRIORITY_H
#define KEEPER_APP_PRIORITY_H

/* A readiness, an exit or a deadline is a matter of microseconds: the calling thread, and what it starts, goes first
 * from now on. Returns by how much its nice value is lower than it was. */
int priority_take(void);
/* The calling thread gives way to all others. */
void priority_give_way(void);
/* The calling process gets the kernel's own slice: keepers of earlier versions had a shorter one, which outlasts a re-exec. */
void priority_forget_slice(void);

#endif
