#include "reexec/dry_run.h"

#include <sys/prctl.h>

#include "app/memory.h"
#include "output/output.h"
#include "process/child.h"
#include "process/launch.h"
#include "protocol/frames.h"
#include "reexec/reexec.h"

static pid_t pid;
static struct report report = {.fd = -1};

static void tell(const char *step, int error, uint8_t ending, uint32_t status) {
  post_event(rehearsed, 0, step, (uint32_t)error, ending, status);
}

/* Runs in the child, which has no other thread: the output thread is stopped while the keeper forks. */
_Noreturn static void become_dry_run(const char *path, int out) {
  char message[REPORT_BYTES] = {REPORT_FAILED};
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char *step = reexec_dry_run(path);
  int error = errno;
  size_t length = strlen(step);
  memcpy(message + 1, &error, sizeof error);
  memcpy(message + 1 + sizeof error, step, length);
  ssize_t n = write(out, message, 1 + sizeof error + length);
  _exit(n > 0 ? 127 : 126);
}

void dry_run_start(struct reader *command) {
  int ends[2];
  if (pid > 0 || pipe2(ends, O_CLOEXEC) < 0) {
    tell(pid > 0 ? "rehearsal" : "pipe", pid > 0 ? EBUSY : errno, 0, 0);
    return;
  }
  SCOPED_TEXT path = span_text(read_rehearse(command).path);
  output_stop();
  pid_t child = memory_fork_whole();
  if (child == 0) become_dry_run(path, ends[1]);
  int error = errno;
  (void)output_start();
  (void)close(ends[1]);
  if (child < 0) {
    (void)close(ends[0]);
    tell("fork", error, 0, 0);
    return;
  }
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
  report = (struct report){.fd = ends[0], .executes = true};
  pid = child;
}

static void forget(void) {
  (void)close(report.fd);
  report.fd = -1;
  pid = 0;
}

bool dry_run_is(pid_t child) {
  return pid > 0 && child == pid;
}

bool dry_run_child_gone(const siginfo_t *info) {
  if (pid == 0 || info->si_pid != pid) return false;
  char step[REPORT_BYTES];
  int error = 0;
  child_reap(pid);
  enum launch_result result = launch_read(&report, step, sizeof step, &error);
  forget();
  uint8_t ending = child_ending(info);
  if (result == LAUNCH_FAILED) tell(step, error, 0, 0);
  else tell("", 0, ending, (uint32_t)info->si_status);
  return true;
}

void dry_run_end(void) {
  if (pid == 0) return;
  (void)kill(pid, SIGKILL);
  child_reap(pid);
  forget();
}
