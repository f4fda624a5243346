#include "app/priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "app/basics.h"

enum { RAISED_BY = 10, LOWERED_BY = 10 };

/* The first version of struct sched_attr (linux/sched/types.h); glibc has none before 2.41. */
struct attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime; /* for SCHED_OTHER the time slice, since Linux 6.12; 0: the kernel's default */
  uint64_t deadline;
  uint64_t period;
};

static int lower_nice(int by) {
  errno = 0;
  int before = getpriority(PRIO_PROCESS, 0);
  if (errno != 0 || setpriority(PRIO_PROCESS, 0, before - by) < 0) return 0;
  return before - getpriority(PRIO_PROCESS, 0);
}

int priority_take(void) {
  return lower_nice(RAISED_BY);
}

void priority_give_way(void) {
  /* On Linux each thread has its own nice value (sched(7)). */
  (void)lower_nice(-LOWERED_BY);
}

void priority_forget_slice(void) {
  struct attributes now = {.size = sizeof now};
  if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) < 0 || now.policy != SCHED_OTHER) return;
  now.size = sizeof now;
  now.runtime = now.deadline = now.period = 0;
  (void)syscall(SYS_sched_setattr, 0, &now, 0);
}
