/* Scheduling priority of our threads when all processors are busy. What the system does not permit, or the kernel does not
 * support, stays unchanged. */
#pragma once

/* Raises the priority of the calling thread and of what it starts: a readiness, an exit or a deadline needs an answer within
 * microseconds. Returns how far the nice value was lowered. */
int priority_take(void);
/* Lowers the priority of the calling thread. */
void priority_give_way(void);
/* Gives the calling process the kernel's default time slice. Keepers of earlier versions set a shorter one, which survives a
 * re-exec. */
void priority_forget_slice(void);
