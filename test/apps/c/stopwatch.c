/* A worker that measures: it sends READY=1 (after STOPWATCH_DELAY_MS), waits for SIGTERM, and writes both times on
 * CLOCK_MONOTONIC to the file STOPWATCH_FILE, a line each: `ready NS` just before READY=1, `term NS` at the signal.
 * With STOPWATCH_FLOOD it writes output as fast as it can instead, and ignores SIGTERM. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void tell(const char *what, long long when) {
  const char *path = getenv("STOPWATCH_FILE");
  if (!path) return;
  char line[64];
  int length = snprintf(line, sizeof line, "%s %lld\n", what, when);
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file >= 0 && write(file, line, (size_t)length) == length) (void)close(file);
}

static void flood(void) {
  char lines[100 * 512];
  memset(lines, 'x', sizeof lines);
  for (size_t i = 99; i < sizeof lines; i += 100) lines[i] = '\n';
  while (write(1, lines, sizeof lines) > 0) continue;
}

int main(void) {
  /* Measures when crank sends, not how long this program waits for a processor; fails without the right to do so. */
  if (!getenv("STOPWATCH_FLOOD")) (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  const char *delay = getenv("STOPWATCH_DELAY_MS");
  if (delay) usleep((useconds_t)atoi(delay) * 1000);
  long long ready = now();
  if (send(atoi(getenv("NOTIFY_FD")), "READY=1", 7, 0) != 7) return 1;
  if (getenv("STOPWATCH_FLOOD")) flood();
  int signal;
  sigwait(&set, &signal);
  long long term = now();
  tell("ready", ready);
  tell("term", term);
  return 0;
}
