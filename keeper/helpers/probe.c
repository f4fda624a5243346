#include "helpers/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "app/files.h"
#include "helpers/probe_owner.h"

enum {
  SAY_FD = 3,
  SENTENCE = 160,
  /* A status line is short (RFC 9112, 4); a longer one is not from an HTTP server. */
  STATUS_LINE = 1024,
  LOOK_EVERY_NS = 5 * 1000 * 1000,
  RING_AGAIN_US = 50 * 1000,
  /* Descendants beyond this number are left to the kill of the process group. */
  MOST_ENDED = 4096,
};

struct target {
  struct sockaddr_storage address;
  socklen_t length;
  int owner;
  /* NULL: no request; an accepted connection is enough. */
  const char *path;
};

_Noreturn static void say(const char *sentence) {
  (void)!send(SAY_FD, sentence, strlen(sentence), MSG_DONTWAIT | MSG_NOSIGNAL);
  _exit(0);
}

_Noreturn static void say_error(const char *what) {
  char sentence[SENTENCE];
  (void)snprintf(sentence, sizeof sentence, "no %s: %s", what, strerror(errno));
  say(sentence);
}

/* The answer that is sent when the time is over. */
static const char *volatile late = "no did not answer in time";

static void too_late(int signal_number) {
  (void)signal_number;
  (void)!send(SAY_FD, late, strlen(late), MSG_DONTWAIT | MSG_NOSIGNAL);
  _exit(0);
}

static volatile sig_atomic_t is_late;

static void note_lateness(int signal_number) {
  (void)signal_number;
  is_late = 1;
}

static void set_time_limit(long ms, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  struct itimerval limit = {
      .it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000},
      /* Repeats, in case the first one arrives just before the call that it should interrupt. */
      .it_interval = {.tv_usec = RING_AGAIN_US},
  };
  if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &limit, NULL) < 0) say_error("cannot be timed");
}

static void wait_a_moment(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_EVERY_NS}, NULL);
}

static bool set_unix(struct target *target, const char *path) {
  struct sockaddr_un *address = (void *)&target->address;
  target->length = files_address(address, path);
  if (path[0] == '\0' || target->length == 0) return false;
  if (path[0] != '@') return true;
  address->sun_path[0] = '\0'; /* an abstract name, which ends with its length */
  target->length--;
  return true;
}

static bool set_address(struct target *target, const char *family, const char *host, const char *port) {
  if (strcmp(family, "unix") == 0) return set_unix(target, host);
  uint16_t number = htons((uint16_t)atoi(port));
  if (strcmp(family, "6") == 0) {
    struct sockaddr_in6 *address = (void *)&target->address;
    *address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = number};
    target->length = sizeof *address;
    return inet_pton(AF_INET6, host, &address->sin6_addr) == 1;
  }
  struct sockaddr_in *address = (void *)&target->address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = number};
  target->length = sizeof *address;
  return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static void send_all(int fd, const char *text) {
  for (size_t length = strlen(text); length > 0;) {
    ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) say_error("hung up before its answer");
    text += n;
    length -= (size_t)n;
  }
}

/* Sends the request without its end. So the process that accepts the connection cannot answer before the probe knows which
 * process that is. */
static void begin_request(int fd, const char *path) {
  send_all(fd, "GET ");
  send_all(fd, path);
  send_all(fd, " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: crank-probe\r\nConnection: close\r\n");
}

_Noreturn static void read_answer(int fd) {
  char line[STATUS_LINE + 1];
  size_t length = 0;
  char *end = NULL;
  while (!end && length < STATUS_LINE) {
    ssize_t n = recv(fd, line + length, STATUS_LINE - length, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) say_error("hung up before its answer");
    if (n == 0) say("no hung up before its answer");
    length += (size_t)n;
    line[length] = '\0';
    end = memchr(line, '\n', length);
  }
  unsigned minor = 0, status = 0;
  if (!end || sscanf(line, "HTTP/1.%1u %3u", &minor, &status) != 2) say("no did not answer in HTTP");
  if (status >= 200 && status < 300) say("ok");
  char sentence[SENTENCE];
  (void)snprintf(sentence, sizeof sentence, "no answered with the status %u", status);
  say(sentence);
}

/* Waits until the connection is accepted. False if it is closed, or if another process accepted it. */
static bool is_accepted_by_owner(int fd, const struct target *target) {
  for (;; wait_a_moment()) {
    uint32_t inode = 0;
    if (probe_peer(fd, &inode) < 0) return false; /* closed before that */
    if (inode != 0) return probe_owns(target->owner, inode);
  }
}

_Noreturn static void ask(const struct target *target) {
  late = "no did not accept a connection in time";
  for (;; wait_a_moment()) {
    int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) say_error("cannot be probed");
    if (connect(fd, (const void *)&target->address, target->length) < 0) say_error("cannot be connected to");
    if (target->path) begin_request(fd, target->path);
    if (target->owner == 0 || is_accepted_by_owner(fd, target)) {
      if (!target->path) say("ok");
      late = "no did not answer in time";
      send_all(fd, "\r\n");
      read_answer(fd);
    }
    late = "unsure left all connections to other workers until the timeout";
    (void)close(fd);
  }
}

/* Kills the command's descendants. As a subreaper, this process is the parent of every descendant that has lost its own, in any
 * session. */
static void end_descendants(void) {
  for (int i = 0; i < MOST_ENDED; i++) {
    int child = probe_child();
    if (child <= 0) return;
    (void)kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
  }
}

_Noreturn static void say_and_clean_up(const char *sentence) {
  (void)!send(SAY_FD, sentence, strlen(sentence), MSG_DONTWAIT | MSG_NOSIGNAL);
  end_descendants();
  _exit(0);
}

_Noreturn static void run(char **command) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) say_error("cannot be started");
  pid_t child = fork();
  if (child < 0) say_error("cannot be started");
  if (child == 0) {
    (void)close(SAY_FD);
    (void)signal(SIGALRM, SIG_DFL);
    (void)execvp(command[0], command);
    _exit(errno == ENOENT ? 127 : 126);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (is_late) say_and_clean_up(late);
    if (errno != EINTR) say_error("cannot be waited for");
  }
  char sentence[SENTENCE];
  if (WIFSIGNALED(status)) (void)snprintf(sentence, sizeof sentence, "no was killed by signal %d", WTERMSIG(status));
  else (void)snprintf(sentence, sizeof sentence, "no exited with status %d", WEXITSTATUS(status));
  say_and_clean_up(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "ok" : sentence);
}

void probe_run(int argc, char **argv) {
  if (argc < 4) _exit(2);
  bool is_command = strcmp(argv[2], "exec") == 0;
  set_time_limit(atol(argv[1]), is_command ? note_lateness : too_late);
  if (is_command) run(argv + 3);
  bool is_http = strcmp(argv[2], "http") == 0;
  if (argc != (is_http ? 8 : 7)) _exit(2);
  struct target target = {.owner = atoi(argv[6]), .path = is_http ? argv[7] : NULL};
  if (!set_address(&target, argv[3], argv[4], argv[5])) say("no has an address that cannot be connected to");
  ask(&target);
}
