/* Replaces the engine in build/crank-stand-in: the keeper starts it as its supervisor. Passes bytes between descriptor 3
 * and the test's unix socket, CRANK_TEST_SOCKET, after a line with its pid. When the test has closed the socket and all
 * its bytes have been passed on, it exits with 0, or (after SIGUSR1) aborts, or (after SIGUSR2) kills itself. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../../engine/start.h"

enum { KEEPER = 3, PIECE = 64 * 1024 };

static volatile sig_atomic_t ending;

static void take_note(int signal_number) {
  ending = signal_number == SIGUSR1 ? SIGABRT : SIGKILL;
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n > 0) {
      bytes += n;
      length -= (size_t)n;
    } else if (errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      (void)poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      exit(0);
    }
  }
}

/* False: the other side has closed. */
static int pass(int from, int to) {
  static char bytes[PIECE];
  ssize_t n = read(from, bytes, sizeof bytes);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 1;
  if (n <= 0) return 0;
  write_all(to, bytes, (size_t)n);
  return 1;
}

static int run(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = getenv("CRANK_TEST_SOCKET");
  int test = socket(AF_UNIX, SOCK_STREAM, 0);
  (void)signal(SIGUSR1, take_note);
  (void)signal(SIGUSR2, take_note);
  if (!path || strlen(path) >= sizeof address.sun_path) return 70;
  strcpy(address.sun_path, path);
  if (connect(test, (struct sockaddr *)&address, sizeof address) < 0) {
    /* The test was interrupted: without it, the keeper would start supervisors for ever. */
    if (errno == ECONNREFUSED && getppid() > 1) (void)kill(getppid(), SIGKILL);
    return 71;
  }
  char line[32];
  write_all(test, line, (size_t)snprintf(line, sizeof line, "%d\n", (int)getpid()));
  for (;;) {
    struct pollfd ends[] = {{.fd = KEEPER, .events = POLLIN}, {.fd = test, .events = POLLIN}};
    if (poll(ends, 2, -1) < 0 && errno != EINTR) return 72;
    if (ends[0].revents && !pass(KEEPER, test)) return 0;
    if (ends[1].revents && !pass(test, KEEPER)) return ending != 0 ? raise(ending) : 0;
  }
}

_Noreturn void engine_start(int argc, char **argv) {
  (void)argc, (void)argv;
  exit(run());
}
