#include "process/child.h"

#include <sys/wait.h>

uint8_t child_ending(const siginfo_t *info) {
  if (info->si_code == CLD_EXITED) return ENDING_EXIT;
  return info->si_code == CLD_DUMPED ? ENDING_CORE : ENDING_SIGNAL;
}

void child_reap(pid_t child) {
  siginfo_t reaped;
  while (waitid(P_PID, (id_t)child, &reaped, WEXITED) < 0 && errno == EINTR) continue;
}
