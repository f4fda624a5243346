#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "candidate.h"
#include "environment.h"
#include "facts.h"
#include "memory.h"
#include "runtime.h"

enum { CHANNEL_FD = 3 };

static const char *const keepers[] = {"crank", "socketmaster", "einhorn", "einhyrningsins"};

bool programs_is_keeper(const char *name) {
  for (size_t i = 0; i < sizeof keepers / sizeof *keepers; i++) {
    if (strcmp(name, keepers[i]) == 0) return true;
  }
  return false;
}

static void clean_environment(void) {
  for (char **variable = environ; *variable;) {
    if (!environment_steers_runtime(*variable)) {
      variable++;
      continue;
    }
    size_t length = strcspn(*variable, "=");
    char *name = memory_copy_text(*variable, length);
    if (unsetenv(name) < 0) variable++;
    free(name);
  }
  (void)setenv("BUN_JSC_useJIT", "0", 1);
}

static int complain(const char *name, const char *what, const char *path) {
  (void)fprintf(stderr, "%s: the %s %s cannot be used: %s; install crank anew\n", name, what, path, strerror(errno));
  return 1;
}

/* The keeper made the pair, so the kernel knows it as the peer at its end. */
static bool is_child_of_peer(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == getppid();
}

bool programs_join(const char *number) {
  char *end;
  long fd = strtol(number, &end, 10);
  if (*end != '\0' || end == number || fd < 3 || fd > INT_MAX) return false;
  if (!base_say((int)fd)) return false;
  if (is_child_of_peer((int)fd)) (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (fd == CHANNEL_FD) (void)fcntl(CHANNEL_FD, F_SETFD, 0);
  else if (dup2((int)fd, CHANNEL_FD) < 0 || close((int)fd) < 0) return false;
  return setenv(CANDIDATE_VARIABLE, "1", 1) == 0 && chdir("/") == 0;
}

int programs_execute(const char *name, char **argv) {
  char *home = facts_home();
  if (!home) return complain(name, "link", "/proc/self/exe");
  char *runtime = runtime_path(home, getenv("CRANK_RUNTIME"));
  char *program = (char *)(uintptr_t)name; /* execv only reads it */
  if (!runtime_has_commands(runtime)) {
    size_t room = strlen(home) + strlen(name) + sizeof "/dist/.mjs";
    program = memory_take(room);
    (void)snprintf(program, room, "%s/dist/%s.mjs", home, name);
    if (access(program, R_OK) < 0) return complain(name, "program", program);
  }

  const char *options[RUNTIME_OPTIONS];
  uint32_t count = runtime_options(runtime, options);
  size_t given = 0;
  while (argv[given]) given++;
  char **args = memory_take((count + given + 2) * sizeof *args);
  for (uint32_t i = 0; i < count; i++) args[i] = (char *)(uintptr_t)options[i];
  args[count] = program;
  size_t last = count;
  for (size_t i = 1; i < given; i++) args[++last] = argv[i];
  args[last + 1] = NULL;
  clean_environment();
  (void)execv(runtime, args);
  return complain(name, "runtime", runtime);
}

int programs_check(const char *name, char **argv) {
  char *home = facts_home();
  if (!home || setenv("CRANK_HOME", home, 1) < 0) return complain(name, "link", "/proc/self/exe");
  free(home);
  return programs_execute(name, argv);
}
