/* A worker that carries out its arguments, one after the other: "say TEXT", "notify TEXT", "store NAME" (its standard
 * input, as sd_notify(3) has it), "ignore SIGNAL", "leave" (starts a process in a session of its own, where it waits,
 * ignoring what was ignored before), "raise SIGNAL", "exit STATUS", "wait" (until a signal ends it). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *after(const char *step, const char *word) {
  size_t length = strlen(word);
  return strncmp(step, word, length) == 0 ? step + length : NULL;
}

static void notify(const char *text) {
  const char *fd = getenv("NOTIFY_FD");
  if (!fd || send(atoi(fd), text, strlen(text), 0) < 0) exit(99);
}

static void store(const char *name) {
  const char *fd = getenv("NOTIFY_FD");
  char text[300];
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
  int stored = STDIN_FILENO;
  struct iovec part = {.iov_base = text, .iov_len = (size_t)snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s", name)};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof stored)};
  memcpy(CMSG_DATA(header), &stored, sizeof stored);
  if (!fd || sendmsg(atoi(fd), &message, 0) < 0) exit(99);
}

/* Returns when it is in its session. */
static void leave(void) {
  int ends[2];
  char byte;
  if (pipe(ends) < 0) exit(99);
  pid_t child = fork();
  if (child < 0) exit(99);
  if (child == 0) {
    (void)setsid();
    (void)close(ends[0]);
    (void)close(ends[1]);
    for (;;) (void)pause();
  }
  (void)close(ends[1]);
  (void)!read(ends[0], &byte, 1);
  (void)close(ends[0]);
}

int main(int argc, char **argv) {
  const char *rest;
  for (int i = 1; i < argc; i++) {
    if ((rest = after(argv[i], "say "))) (void)dprintf(1, "%s\n", rest);
    else if ((rest = after(argv[i], "notify "))) notify(rest);
    else if ((rest = after(argv[i], "store "))) store(rest);
    else if ((rest = after(argv[i], "ignore "))) (void)signal(atoi(rest), SIG_IGN);
    else if (strcmp(argv[i], "leave") == 0) leave();
    else if ((rest = after(argv[i], "raise "))) (void)raise(atoi(rest));
    else if ((rest = after(argv[i], "exit "))) return atoi(rest);
    else
      for (;;) (void)pause();
  }
  return 0;
}
