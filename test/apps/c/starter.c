/*
 * Starts a program and measures how long it takes until a unix socket accepts: prints the nanoseconds, then ends the
 * program with SIGTERM and waits for it. It sleeps between attempts, so that it does not compete with the program for a processor.
 *
 * usage: starter SOCKET PROGRAM [ARGUMENT ...]
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, PAUSE_NS = 100 * 1000 };

static void die(const char *what) {
  fprintf(stderr, "starter: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) die("clock_gettime");
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool accepts(const struct sockaddr_un *address) {
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) die("socket");
  bool connected = connect(descriptor, (const struct sockaddr *)address, sizeof *address) == 0;
  close(descriptor);
  return connected;
}

int main(int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (count < 3 || strlen(arguments[1]) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: starter SOCKET PROGRAM [ARGUMENT ...]\n");
    return 2;
  }
  memcpy(address.sun_path, arguments[1], strlen(arguments[1]) + 1);
  long long began = now_ns();
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    execv(arguments[2], arguments + 2);
    die(arguments[2]);
  }
  const struct timespec pause = {.tv_nsec = PAUSE_NS};
  while (!accepts(&address)) {
    if (waitpid(child, NULL, WNOHANG) == child) return 1;
    if (now_ns() - began > PATIENCE_S * 1000000000LL) {
      kill(child, SIGKILL);
      return 1;
    }
    nanosleep(&pause, NULL);
  }
  printf("%lld\n", now_ns() - began);
  if (kill(child, SIGTERM) != 0 || waitpid(child, NULL, 0) != child) die("the end of the program");
  return 0;
}
