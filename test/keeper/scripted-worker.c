/* A worker that does what its arguments say, one after the other: "say TEXT", "notify TEXT", "ignore SIGNAL",
 * "raise SIGNAL", "exit STATUS", "wait" (until a signal ends it). */
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

int main(int argc, char **argv) {
  const char *rest;
  for (int i = 1; i < argc; i++) {
    if ((rest = after(argv[i], "say "))) (void)dprintf(1, "%s\n", rest);
    else if ((rest = after(argv[i], "notify "))) notify(rest);
    else if ((rest = after(argv[i], "ignore "))) (void)signal(atoi(rest), SIG_IGN);
    else if ((rest = after(argv[i], "raise "))) (void)raise(atoi(rest));
    else if ((rest = after(argv[i], "exit "))) return atoi(rest);
    else for (;;) (void)pause();
  }
  return 0;
}
