/*
 * A fast worker for load tests and measurements, in one thread: it answers a line `once` with `VERSION PID` and closes the
 * connection; it answers any other line and keeps the connection. On SIGTERM or SIGUSR2 it stops accepting, sends `bye`
 * to its clients (spread over -drain), and exits when the last has disconnected.
 *
 * With -lines it prints `line N` every MS milliseconds, N = 1, 2, 3 …, followed by SIZE bytes.
 *
 * usage: worker [-drain MS] [-lines MS SIZE] VERSION
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER = 3, LINE_BYTES = 256, EVENTS = 64 };

struct connection {
  int descriptor;
  bool stays;
  bool told;
  size_t length;
  char line[LINE_BYTES];
  struct connection *next, **link;
};

static const char *version = "";
static long drain_ms;
static long lines_ms;
static long line_size;
static int poll_descriptor;
static struct connection *connections;
static size_t connection_count;
static bool draining;
static long long drain_began;
static size_t drain_total, drain_told;
static char answer[LINE_BYTES];
static size_t answer_length;

static void die(const char *what) {
  fprintf(stderr, "worker: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) die("clock_gettime");
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void say_ready(void) {
  const char *number = getenv("NOTIFY_FD");
  if (number == NULL) return;
  while (send(atoi(number), "READY=1", strlen("READY=1"), MSG_NOSIGNAL) < 0)
    if (errno != EINTR) die("NOTIFY_FD");
}

static void hang_up(struct connection *connection) {
  *connection->link = connection->next;
  if (connection->next != NULL) connection->next->link = connection->link;
  close(connection->descriptor);
  free(connection);
  connection_count--;
}

/* Answers are short and clients read them: what does not fit into the socket's buffer is lost, and the client counts it. */
static void say(struct connection *connection, const char *text, size_t length) {
  while (send(connection->descriptor, text, length, MSG_NOSIGNAL) < 0 && errno == EINTR) continue;
}

static void accept_one(void) {
  int descriptor = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return; /* another worker took it */
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) die("calloc");
  connection->descriptor = descriptor;
  connection->next = connections;
  connection->link = &connections;
  if (connections != NULL) connections->link = &connection->next;
  connections = connection;
  connection_count++;
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = connection};
  if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, descriptor, &event) != 0) die("epoll_ctl");
}

static void hear(struct connection *connection) {
  ssize_t got = recv(connection->descriptor, connection->line + connection->length, LINE_BYTES - connection->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return hang_up(connection);
  connection->length += (size_t)got;
  char *end;
  while ((end = memchr(connection->line, '\n', connection->length)) != NULL) {
    bool once = end - connection->line == 4 && memcmp(connection->line, "once", 4) == 0;
    say(connection, answer, answer_length);
    if (once) return hang_up(connection);
    connection->stays = true;
    connection->length -= (size_t)(end + 1 - connection->line);
    memmove(connection->line, end + 1, connection->length);
  }
  if (connection->length == LINE_BYTES) hang_up(connection);
}

static void begin_drain(void) {
  if (draining) return;
  draining = true;
  drain_began = now_ns();
  drain_total = connection_count;
  if (epoll_ctl(poll_descriptor, EPOLL_CTL_DEL, LISTENER, NULL) != 0) die("epoll_ctl");
  close(LISTENER);
}

/* Sends `bye` to as many clients as are due; those without a request so far are answered first. */
static void drain_more(void) {
  long long passed = (now_ns() - drain_began) / 1000000;
  size_t due = drain_ms == 0 || passed >= drain_ms ? SIZE_MAX : drain_total * (size_t)passed / (size_t)drain_ms;
  for (struct connection *connection = connections; connection != NULL && drain_told < due; connection = connection->next) {
    if (connection->told || !connection->stays) continue;
    connection->told = true;
    drain_told++;
    say(connection, "bye\n", 4);
  }
}

static int watch_signals(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR2); /* the stop signal of einhorn and its relatives */
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) die("sigprocmask");
  int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor < 0) die("signalfd");
  return descriptor;
}

/* One write, so that the line is written completely or not at all (pipe(7), PIPE_BUF). Returns the time until the next. */
static int say_lines(void) {
  static long said;
  static long long next;
  static char line[4096];
  if (lines_ms == 0) return -1;
  long long now = now_ns();
  if (now >= next) {
    int length = snprintf(line, sizeof line - 1, "line %ld ", ++said);
    while (length < line_size && length < (int)sizeof line - 1) line[length++] = 'x';
    line[length++] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)length) != length) die("standard output");
    next = now + lines_ms * 1000000;
  }
  return (int)lines_ms;
}

static void serve(int signals) {
  struct epoll_event happened[EVENTS];
  while (!draining || connections != NULL) {
    int next = say_lines();
    int count = epoll_wait(poll_descriptor, happened, EVENTS, draining ? 10 : next);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int at = 0; at < count; at++) {
      if (happened[at].data.ptr == &version) {
        if (!draining) accept_one();
      } else if (happened[at].data.ptr == &draining) {
        struct signalfd_siginfo signal;
        if (read(signals, &signal, sizeof signal) != sizeof signal) die("signalfd");
        begin_drain();
      } else {
        hear(happened[at].data.ptr);
      }
    }
    if (draining) drain_more();
  }
}

int main(int count, char **arguments) {
  for (int at = 1; at < count; at++) {
    if (strcmp(arguments[at], "-drain") == 0 && at + 1 < count) drain_ms = atol(arguments[++at]);
    else if (strcmp(arguments[at], "-lines") == 0 && at + 2 < count) {
      lines_ms = atol(arguments[++at]);
      line_size = atol(arguments[++at]);
    } else version = arguments[at];
  }
  answer_length = (size_t)snprintf(answer, sizeof answer, "%.200s %d\n", version, (int)getpid());

  int signals = watch_signals();
  poll_descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (poll_descriptor < 0) die("epoll_create1");
  struct epoll_event listener = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &version};
  struct epoll_event signal = {.events = EPOLLIN, .data.ptr = &draining};
  if (fcntl(LISTENER, F_SETFL, O_NONBLOCK) != 0) die("the socket, descriptor 3");
  if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, LISTENER, &listener) != 0) die("epoll_ctl");
  if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, signals, &signal) != 0) die("epoll_ctl");
  say_ready();
  serve(signals);
  return 0;
}
