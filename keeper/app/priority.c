#include "app/priority.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  URGENT_BY = 10,
  LOWER_BY = 10,
  /* The shortest slice that there is: who is woken with a shorter one than the one who runs need not wait for the end
   * of that one's (sched_setattr(2), since Linux 6.12). 0 is the kernel's own. */
  SHORT_SLICE_NS = 100 * 1000,
  /* Of the one who decides: shorter than any worker's, longer than that of the one who acts on it, who then goes between
   * the first thing that was decided and the rest. */
  SECOND_SLICE_NS = 400 * 1000,
  OWN_SLICE = 0,
};

/* struct sched_attr of linux/sched/types.h in its first version; glibc has none before 2.41. */
struct attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

/* PATIENT: who is woken waits for whoever runs there, however short its own slice (SCHED_BATCH of sched(7)). */
enum manner { AS_BEFORE, PATIENT };

/* The slice goes with the policy and the nice value: the kernel sets all at once. */
static void set_slice(uint64_t slice_ns, enum manner manner) {
  struct attributes now = {.size = sizeof now};
  if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) < 0) return;
  if (now.policy != SCHED_OTHER && now.policy != SCHED_BATCH) return;
  now.size = sizeof now;
  if (manner == PATIENT) now.policy = SCHED_BATCH;
  now.runtime = slice_ns;
  now.deadline = now.period = 0;
  (void)syscall(SYS_sched_setattr, 0, &now, 0);
}

static int lower(int by) {
  errno = 0;
  int before = getpriority(PRIO_PROCESS, 0);
  if (errno != 0 || setpriority(PRIO_PROCESS, 0, before - by) < 0) return 0;
  return before - getpriority(PRIO_PROCESS, 0);
}

int priority_take(void) {
  int lowered = lower(URGENT_BY);
  set_slice(SHORT_SLICE_NS, AS_BEFORE);
  return lowered;
}

void priority_give_way(void) {
  /* A nice value is a thread's own on Linux (sched(7)). */
  (void)lower(-LOWER_BY);
  set_slice(OWN_SLICE, AS_BEFORE);
}

void priority_stand_back(void) {
  /* Woken by the one who acts on what it decides, it must not interrupt that one: who is interrupted is not woken, and so
   * interrupts nobody, and would stand there until all has been said and done. */
  set_slice(SECOND_SLICE_NS, PATIENT);
}

void priority_drop(void) {
  set_slice(OWN_SLICE, AS_BEFORE);
}
