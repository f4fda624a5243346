/* This process and others: its ids and arguments, signals to other processes, and small helper programs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exports.h"
#include "host/host.h"

extern char **environ;

static value texts(char *const *list, size_t most) {
  value all = value_array();
  for (u32 i = 0; i < most && list[i] != NULL; i++) value_push(all, i, value_text(list[i], strlen(list[i])));
  return all;
}

static value processes_arguments(struct arguments *in) {
  (void)in;
  return texts(host_arguments(), (size_t)host_argument_count());
}

/* NAME=VALUE, unchanged */
static value processes_environment(struct arguments *in) {
  (void)in;
  return texts(environ, INT_MAX);
}

/* [pid, parent, uid, gid] */
static value processes_identity(struct arguments *in) {
  (void)in;
  double numbers[] = {getpid(), getppid(), getuid(), getgid()};
  value all = value_array();
  for (u32 i = 0; i < 4; i++) value_push(all, i, value_number(numbers[i]));
  return all;
}

/* exit(status): at once, without finishing pending work */
static value processes_exit(struct arguments *in) {
  int status = take_int(in, 0, 0, 255);
  if (!are_right(in)) return VALUE_UNDEFINED;
  _exit(status);
}

/* kill(pid, signal): a negative pid is a process group. -1 would mean every process of the machine (kill(2)), so it is refused
 * as a mistake. */
static value processes_kill(struct arguments *in) {
  pid_t pid = take_int(in, 0, -INT_MAX, INT_MAX);
  if (pid == -1) in->wrong = "-1 would be every process";
  int number = take_int(in, 1, 0, 64);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(kill(pid, number));
}

static value processes_set_priority(struct arguments *in) {
  pid_t pid = take_int(in, 0, 0, INT_MAX);
  int nice = take_int(in, 1, -20, 19);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(setpriority(PRIO_PROCESS, (id_t)pid, nice));
}

enum { MOST_WORDS = 16 };

/* One word of a command, which the caller frees. NULL if it is not a string, or contains a NUL. */
static const char *take_word(value list, u32 place, bool *is_end) {
  value word = export_JS_GetPropertyUint32(guest.context, list, place);
  size_t length = 0;
  const char *text = value_to_text(word, &length);
  *is_end = value_tag(word) == TAG_UNDEFINED;
  value_free(word);
  if (text == NULL || strlen(text) == length) return text;
  value_free_text(text);
  return NULL;
}

/* The words of a command. True if there is at least one and all are strings. The caller frees the words in either case. */
static bool take_words(struct arguments *in, const char *words[MOST_WORDS + 1]) {
  if (in->count == 0 || value_tag(in->values[0]) != TAG_OBJECT) return false;
  for (u32 i = 0; i < MOST_WORDS; i++) {
    bool is_end;
    words[i] = take_word(in->values[0], i, &is_end);
    if (words[i] == NULL) return is_end && i > 0;
  }
  return false;
}

static int start(const char *const *words, int output, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t all;
  (void)sigemptyset(&none);
  (void)sigfillset(&all);
  if (posix_spawn_file_actions_init(&actions) != 0) return ENOMEM;
  if (posix_spawnattr_init(&attributes) != 0) {
    (void)posix_spawn_file_actions_destroy(&actions);
    return ENOMEM;
  }
  int error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  if (error == 0) error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error == 0) error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  /* Signals that this process reads from a descriptor are blocked, and the child would inherit that. */
  if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
  if (error == 0) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  /* posix_spawn(3) does not change the words, but its type has no const. */
  if (error == 0) error = posix_spawnp(pid, words[0], &actions, &attributes, (char *const *)(uintptr_t)words, environ);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&actions);
  return error;
}

/* start(words): [pid, descriptor of its output]; its standard input and standard error are /dev/null */
static value processes_start(struct arguments *in) {
  const char *words[MOST_WORDS + 1] = {0};
  bool are_words = take_words(in, words);
  int ends[2] = {-1, -1};
  pid_t pid = 0;
  int error = !are_words ? EINVAL : pipe2(ends, O_CLOEXEC) < 0 ? errno : start(words, ends[1], &pid);
  if (ends[1] >= 0) (void)close(ends[1]);
  for (u32 i = 0; i <= MOST_WORDS && words[i] != NULL; i++) value_free_text(words[i]);
  if (error != 0) {
    if (ends[0] >= 0) (void)close(ends[0]);
    return value_int(-error);
  }
  value both = value_array();
  value_push(both, 0, value_int(pid));
  value_push(both, 1, value_int(ends[0]));
  return both;
}

/* wait(pid, waits): its exit status, 256 plus the signal that ended it, or -EAGAIN while it runs */
static value processes_wait(struct arguments *in) {
  pid_t pid = take_int(in, 0, 1, INT_MAX);
  bool waits = take_bool(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  int status = 0;
  pid_t ended = 0;
  do ended = waitpid(pid, &status, waits ? 0 : WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return result_of(-1);
  if (ended == 0) return value_int(-EAGAIN);
  return value_int(WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status));
}

const struct host_function host_processes[] = {
    {"processArguments", 0, processes_arguments},
    {"environment", 0, processes_environment},
    {"identity", 0, processes_identity},
    {"exit", 1, processes_exit},
    {"kill", 2, processes_kill},
    {"setPriority", 2, processes_set_priority},
    {"start", 1, processes_start},
    {"wait", 2, processes_wait},
    {0},
};
