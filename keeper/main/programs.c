#include "main/programs.h"

#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../../engine/start.h"
#include "app/facts.h"
#include "app/memory.h"
#include "einhorn/base.h"
#include "supervisor/candidate.h"
#include "supervisor/program.h"

enum { CHANNEL_FD = 3 };

static const char *const keepers[] = {"crank", "socketmaster", "einhorn", "einhyrningsins"};

bool programs_is_keeper(const char *name) {
  for (size_t i = 0; i < sizeof keepers / sizeof *keepers; i++) {
    if (strcmp(name, keepers[i]) == 0) return true;
  }
  return false;
}

/* The keeper created the socket pair, so SO_PEERCRED shows the keeper as the peer. */
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
  if (fd != CHANNEL_FD && (dup2((int)fd, CHANNEL_FD) < 0 || close((int)fd) < 0)) return false;
  return setenv(CANDIDATE_VARIABLE, "1", 1) == 0 && chdir("/") == 0;
}

/* Only for this process: programs that it starts (getent(1)) must not inherit it. */
static void keep_channel(void) {
  (void)fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
}

/* Starts the engine for a command that argv[0] does not name itself: `name` becomes an extra first argument. */
_Noreturn static void start(const char *name, int argc, char **argv) {
  char **args = memory_take(((size_t)argc + 2) * sizeof *args);
  args[0] = argv[0];
  args[1] = (char *)(uintptr_t)name; /* never written to */
  for (int i = 1; i <= argc; i++) args[i + 1] = argv[i];
  engine_start(argc + 1, args);
}

void programs_command(const char *name, int argc, char **argv) {
  start(name, argc, argv);
}

void programs_supervisor(int argc, char **argv) {
  /* Otherwise its name is a descriptor number (execveat(2)). */
  (void)prctl(PR_SET_NAME, SUPERVISOR_NAME);
  keep_channel();
  engine_start(argc, argv);
}

void programs_joined_supervisor(const char *name, int argc, char **argv) {
  keep_channel();
  start(name, argc, argv);
}

void programs_check(const char *name, int argc, char **argv) {
  char *home = facts_home();
  if (!home || setenv("CRANK_HOME", home, 1) < 0) {
    (void)fprintf(stderr, "%s: the link /proc/self/exe cannot be read: %s; is /proc mounted?\n", name, strerror(errno));
    exit(1);
  }
  free(home);
  start(name, argc, argv);
}
