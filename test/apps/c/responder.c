/*
 * A worker for tests: answers every connection with one line, `VERSION PID`, and misbehaves on request. It starts in
 * a millisecond; responder.py is the same for tests that need an interpreted program.
 *
 * usage: responder VERSION [MISDEED ...]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER = 3, GARBAGE_BYTES = 65536, GARBAGE_MESSAGES = 10000 };

static char **misdeeds;
/** A pipe with a byte for each signal that ends it. */
static int ended[2];

static void die(const char *what) {
  fprintf(stderr, "responder: %s: %s\n", what, strerror(errno));
  exit(1);
}

static bool does(const char *misdeed) {
  for (char **each = misdeeds; *each != NULL; each++)
    if (strcmp(*each, misdeed) == 0) return true;
  return false;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) {
    fprintf(stderr, "responder: there is no %s\n", name);
    exit(1);
  }
  return value;
}

static void wait_for(double seconds) {
  struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static void notify(const void *bytes, size_t length) {
  if (send(atoi(variable("NOTIFY_FD")), bytes, length, 0) < 0) die("send");
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die(path);
  strcpy(address.sun_path, path);
  return address;
}

static void say_garbage(void) {
  static char garbage[GARBAGE_BYTES];
  for (int byte = 0; byte < 256; byte++) garbage[byte] = (char)byte;
  notify(garbage, 256);
  memset(garbage, 'x', sizeof garbage);
  notify(garbage, sizeof garbage);
  for (int number = 0; number < GARBAGE_MESSAGES; number++) {
    int length = snprintf(garbage, sizeof garbage, "STATUS=%d", number);
    notify(garbage, (size_t)length);
  }
}

static void acknowledge(void) {
  struct sockaddr_un address = address_of(variable("EINHORN_SOCK_PATH"));
  int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (end < 0 || connect(end, (const struct sockaddr *)&address, sizeof address) != 0) die("connect");
  if (dprintf(end, "{\"command\":\"worker:ack\",\"pid\":%d}\n", getpid()) < 0) die("write");
  char byte;
  if (recv(end, &byte, 1, 0) != 0) die("an acknowledgement is not answered");
}

static void say_ready_by_path(void) {
  static const char message[] = "STATUS=on its way\nREADY=1\n";
  struct sockaddr_un address = address_of(variable("NOTIFY_SOCKET"));
  int end = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (end < 0 || sendto(end, message, sizeof message - 1, 0, (const struct sockaddr *)&address, sizeof address) < 0)
    die("sendto");
}

static void say_ready(void) {
  if (does("acknowledge"))
    acknowledge();
  else if (does("path"))
    say_ready_by_path();
  else
    notify("READY=1", 7);
  if (does("twice")) notify("READY=1\n", 8);
}

static void end_now(int number) {
  (void)number;
  _exit(0);
}

static void end_soon(int number) {
  (void)number;
  int error = errno;
  if (write(ended[1], "", 1) < 0) _exit(1);
  errno = error;
}

static void answer(int connection, const char *version) {
  char line[256];
  int length = snprintf(line, sizeof line, "%s %d\n", version, getpid());
  // The client may have disconnected.
  if (send(connection, line, (size_t)length, 0) < 0) errno = 0;
  close(connection);
}

/** SIGTERM takes effect between connections: an accepted client is answered, a waiting one is left to the next worker. */
static void serve(int listener, const char *version) {
  for (;;) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(listener, &readable);
    FD_SET(ended[0], &readable);
    int last = listener > ended[0] ? listener : ended[0];
    if (select(last + 1, &readable, NULL, NULL, NULL) < 0) {
      if (errno == EINTR) continue;
      die("select");
    }
    // Checked again, because a signal may have arrived after select(2) returned for a connection.
    char byte;
    if (read(ended[0], &byte, 1) == 1) _exit(0);
    if (!FD_ISSET(listener, &readable)) continue;
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
      wait_for(0.01);
    else
      answer(connection, version);
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  const char *version = words[1];
  misdeeds = words + 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);

  if (does("exit-3") || does("never-ready")) printf("the last words of %s\n", version);
  if (does("exit-3")) return 3;
  if (does("exit-0")) return 0;
  if (does("never-ready")) wait_for(3600);

  signal(SIGTERM, does("deaf") ? SIG_IGN : end_now);
  if (does("garbage")) say_garbage();
  if (does("held"))
    while (access(variable("HOLD"), F_OK) != 0) wait_for(0.01);
  say_ready();
  int listener = LISTENER;
  if (does("shutdown")) {
    if (shutdown(listener, SHUT_RDWR) != 0) die("shutdown");
    listener = fcntl(LISTENER, F_DUPFD_CLOEXEC, 0);
  }
  if (does("dies")) {
    const char *after = getenv("DIE_AFTER");
    wait_for(after == NULL ? 0.05 : atof(after));
    _exit(9);
  }

  if (pipe2(ended, O_CLOEXEC | O_NONBLOCK) != 0) die("pipe2");
  if (!does("deaf")) signal(SIGTERM, end_soon);
  int flags = fcntl(listener, F_GETFL);
  if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0) die("fcntl");
  printf("worker %s serves\n", version);
  serve(listener, version);
}
