/* The terminal: whether there is one, its size, its raw mode, and its restoration. Raw mode outlives the process (termios(3)).
 * TypeScript ends it; if a fault or a signal ends the process first, it is ended here. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "host/host.h"
#include "terminal.h"

enum { MOST_UNDO_BYTES = 256 };

/* Data for the signal handler is written before the number that marks it as valid. */
static struct termios before;
static volatile sig_atomic_t raw_fd = -1;
static char undo[MOST_UNDO_BYTES];
static volatile sig_atomic_t undo_length;

/* All signals that end a process and leave it time to act. The engine has its own handlers for SIGSEGV and SIGBUS (heap.c). A
 * signal that TypeScript listens to is blocked (signals.c) and does not arrive here. */
static const int ending[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1,
                             SIGUSR2, SIGABRT, SIGILL,  SIGFPE,  SIGSYS,  SIGXCPU, SIGXFSZ};

/* A background process must not change the terminal. */
static bool is_in_foreground(int fd) {
  return tcgetpgrp(fd) == getpgrp();
}

void terminal_give_back(void) {
  int fd = raw_fd;
  int length = undo_length;
  undo_length = 0;
  if (length > 0 && is_in_foreground(STDOUT_FILENO)) (void)!write(STDOUT_FILENO, undo, (size_t)length);
  if (fd >= 0 && is_in_foreground(fd)) (void)tcsetattr(fd, TCSANOW, &before);
}

/* SA_RESETHAND has restored the signal's default action, which follows when the handler returns. */
static void on_ending(int number) {
  int error = errno;
  terminal_give_back();
  (void)raise(number);
  errno = error;
}

/* A signal that is ignored, as under nohup(1), stays ignored. */
static void watch_ends(bool is_watched) {
  struct sigaction action = {.sa_flags = (int)SA_RESETHAND};
  action.sa_handler = is_watched ? on_ending : SIG_DFL;
  for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
    struct sigaction now;
    if (sigaction(ending[i], NULL, &now) < 0) continue;
    if (now.sa_handler == (is_watched ? SIG_DFL : on_ending)) (void)sigaction(ending[i], &action, NULL);
  }
}

static value terminal_is(struct arguments *in) {
  int fd = take_fd(in, 0);
  return are_right(in) ? value_bool(isatty(fd) == 1) : VALUE_UNDEFINED;
}

/* [columns, rows] */
static value terminal_size(struct arguments *in) {
  int fd = take_fd(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) < 0) return result_of(-1);
  value both = value_array();
  value_push(both, 0, value_int(size.ws_col));
  value_push(both, 1, value_int(size.ws_row));
  return both;
}

/* setRaw(fd, isRaw): keys arrive one by one and unchanged; output is processed as before */
static value terminal_set_raw(struct arguments *in) {
  int fd = take_fd(in, 0);
  bool is_raw = take_bool(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (!is_raw) {
    if (raw_fd != fd) return value_int(0);
    int result = tcsetattr(fd, TCSADRAIN, &before);
    int error = errno;
    raw_fd = -1;
    watch_ends(undo_length > 0);
    errno = error;
    return result_of(result);
  }
  struct termios raw;
  if (tcgetattr(fd, &raw) < 0) return result_of(-1);
  if (raw_fd != fd) before = raw;
  cfmakeraw(&raw);
  raw.c_oflag |= OPOST | ONLCR;
  int last = raw_fd;
  raw_fd = fd;
  watch_ends(true);
  int result = tcsetattr(fd, TCSADRAIN, &raw);
  int error = errno;
  if (result < 0) raw_fd = last;
  watch_ends(undo_length > 0 || raw_fd >= 0);
  errno = error;
  return result_of(result);
}

/* undoScreen(text): the text to write to standard output if a fault or a signal ends the process; empty: none */
static value terminal_undo_screen(struct arguments *in) {
  const char *text = take_text(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  size_t length = strlen(text);
  errno = EINVAL;
  if (length > sizeof undo) return result_of(-1);
  undo_length = 0;
  memcpy(undo, text, length);
  undo_length = (int)length;
  watch_ends(length > 0 || raw_fd >= 0);
  return value_int(0);
}

const struct host_function host_terminal[] = {
    {"isTerminal", 1, terminal_is},
    {"terminalSize", 1, terminal_size},
    {"setRaw", 2, terminal_set_raw},
    {"undoScreen", 1, terminal_undo_screen},
    {0},
};
