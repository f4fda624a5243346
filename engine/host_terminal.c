/* The terminal: whether there is one, how large it is, and its raw mode, which ends with the process. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "host.h"

static struct termios before;
static int raw_fd = -1;

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

/* setRaw(fd, isRaw): keys come one by one and unchanged; what is printed is treated as before */
static value terminal_set_raw(struct arguments *in) {
  int fd = take_fd(in, 0);
  bool is_raw = take_bool(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (!is_raw) {
    if (raw_fd != fd) return value_int(0);
    raw_fd = -1;
    return result_of(tcsetattr(fd, TCSADRAIN, &before));
  }
  struct termios raw;
  if (tcgetattr(fd, &raw) < 0) return result_of(-1);
  if (raw_fd != fd) before = raw;
  cfmakeraw(&raw);
  raw.c_oflag |= OPOST | ONLCR;
  raw_fd = fd;
  return result_of(tcsetattr(fd, TCSADRAIN, &raw));
}

const struct host_function host_terminal[] = {
    {"isTerminal", 1, terminal_is},
    {"terminalSize", 1, terminal_size},
    {"setRaw", 2, terminal_set_raw},
    {0},
};
