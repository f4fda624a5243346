/* Signals as events: signalfd(2). One descriptor for all watched signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/host.h"

static sigset_t watched;
static int descriptor = -1;

static value change(int number, bool is_watched) {
  if (descriptor < 0) (void)sigemptyset(&watched);
  sigset_t one;
  (void)sigemptyset(&one);
  (void)sigaddset(&one, number);
  if (is_watched) (void)sigaddset(&watched, number);
  else (void)sigdelset(&watched, number);
  if (sigprocmask(is_watched ? SIG_BLOCK : SIG_UNBLOCK, &one, NULL) < 0) return result_of(-1);
  int fd = signalfd(descriptor, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return result_of(-1);
  descriptor = fd;
  return value_int(fd);
}

/* watchSignal(number): the descriptor that reports the signal */
static value signals_watch(struct arguments *in) {
  int number = take_int(in, 0, 1, 64);
  return are_right(in) ? change(number, true) : VALUE_UNDEFINED;
}

/* Restores the default handling of the signal. */
static value signals_leave(struct arguments *in) {
  int number = take_int(in, 0, 1, 64);
  return are_right(in) ? change(number, false) : VALUE_UNDEFINED;
}

/* The next received signal, or 0. */
static value signals_next(struct arguments *in) {
  (void)in;
  struct signalfd_siginfo info;
  if (descriptor < 0) return value_int(0);
  ssize_t count = read(descriptor, &info, sizeof info);
  return value_int(count == (ssize_t)sizeof info ? (s32)info.ssi_signo : 0);
}

const struct host_function host_signals[] = {
    {"watchSignal", 1, signals_watch},
    {"leaveSignal", 1, signals_leave},
    {"nextSignal", 0, signals_next},
    {0},
};
