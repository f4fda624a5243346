/*
 * Runs programs one after the other, with their output to /dev/null, and prints how long each takes from its start to its
 * end, in nanoseconds, a line each. A small program, because the fork of a large one would distort the result.
 *
 * usage: timer PROGRAM [ARGUMENT ...] [';' PROGRAM [ARGUMENT ...]] ...
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what, int error) {
  fprintf(stderr, "timer: %s: %s\n", what, strerror(error));
  exit(1);
}

static long long now_ns(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) die("clock_gettime", errno);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long run(char **command, const posix_spawn_file_actions_t *actions) {
  long long began = now_ns();
  pid_t child;
  int error = posix_spawnp(&child, command[0], actions, NULL, command, environ);
  if (error != 0) die(command[0], error);
  int status;
  if (waitpid(child, &status, 0) != child) die(command[0], errno);
  long long took = now_ns() - began;
  if (status != 0) {
    fprintf(stderr, "timer: %s ended with status %d\n", command[0], status);
    exit(1);
  }
  return took;
}

int main(int count, char **arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: timer PROGRAM [ARGUMENT ...] [';' PROGRAM [ARGUMENT ...]] ...\n");
    return 2;
  }
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (error != 0) die("posix_spawn", error);
  char **command = arguments + 1;
  for (char **word = command; word <= arguments + count; word++) {
    if (*word && strcmp(*word, ";") != 0) continue;
    bool is_last = !*word;
    *word = NULL;
    printf("%lld\n", run(command, &actions));
    if (is_last) return 0;
    command = word + 1;
  }
  return 0;
}
