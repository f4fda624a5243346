#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "environment.h"
#include "facts.h"
#include "memory.h"
#include "protocol.h"
#include "runtime.h"

enum { CHANNEL_FD = 3, MOST_BUNDLE_BYTES = 64 * 1024 * 1024 };

static struct program used = {.runtime = -1, .bundle = -1};

const struct program *program_used(void) {
  return &used;
}

void program_close(struct program *program) {
  if (program->runtime >= 0) (void)close(program->runtime);
  if (program->bundle >= 0) (void)close(program->bundle);
  free(program->path);
  *program = NO_PROGRAM;
}

void program_use(struct program *program) {
  program_close(&used);
  used = *program;
  *program = NO_PROGRAM;
}

static int copy_to_memory(int from) {
  struct stat status;
  if (fstat(from, &status) < 0) return -1;
  if (!S_ISREG(status.st_mode) || status.st_size > MOST_BUNDLE_BYTES) {
    errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
    return -1;
  }
  int copy = memfd_create("crank-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0) return -1;
  for (;;) {
    ssize_t n = sendfile(copy, from, NULL, MOST_BUNDLE_BYTES);
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    if (n == 0 && fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0) return copy;
    int error = errno;
    (void)close(copy);
    errno = error;
    return -1;
  }
}

int program_open(struct program *program, const char *runtime_file, const char *bundle_file, const char **step) {
  *step = "runtime";
  int new_runtime = open(runtime_file, O_PATH | O_CLOEXEC);
  if (new_runtime < 0) return -1;
  int copy = -1;
  bool executable = faccessat(AT_FDCWD, runtime_file, X_OK, AT_EACCESS) == 0;
  bool wants_bundle = !runtime_has_commands(runtime_file);
  if (executable && wants_bundle) {
    *step = "bundle";
    int file = open(bundle_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    copy = file < 0 ? -1 : copy_to_memory(file);
    int error = errno;
    if (file >= 0) (void)close(file);
    errno = error;
  }
  if (!executable || (wants_bundle && copy < 0)) {
    int error = errno;
    (void)close(new_runtime);
    errno = error;
    return -1;
  }
  *program = (struct program){.runtime = new_runtime, .bundle = copy, .path = memory_copy_text(runtime_file, strlen(runtime_file))};
  return 0;
}

static char *bundle_path(void) {
  size_t room = strlen(facts->home) + strlen(facts->program) + sizeof "/dist/.mjs";
  char *path = memory_take(room);
  (void)snprintf(path, room, "%s/dist/%s.mjs", facts->home, facts->program);
  return path;
}

bool program_prepare(void) {
  const char *step = "";
  char *runtime = runtime_path(facts->home, environment_get("CRANK_RUNTIME"));
  char *bundle = bundle_path();
  struct program program = NO_PROGRAM;
  bool opened = program_open(&program, runtime, bundle, &step) == 0;
  if (opened) {
    program_use(&program);
  } else {
    bool is_bundle = strcmp(step, "bundle") == 0;
    say("the %s %s cannot be used: %s; %s", is_bundle ? "program" : "runtime", is_bundle ? bundle : runtime, strerror(errno),
        is_bundle ? "install crank anew" : "install crank anew, or name another one in CRANK_RUNTIME");
  }
  free(runtime);
  free(bundle);
  return opened;
}

/* As a list of texts. */
static struct list arguments(const struct program *program, struct buffer *bytes) {
  const char *options[RUNTIME_OPTIONS];
  uint32_t count = runtime_options_for(program->path, facts->program, options);
  for (uint32_t i = 0; i < count; i++) buffer_text(bytes, options[i]);
  for (char **arg = facts->args; *arg; arg++, count++) buffer_text(bytes, *arg);
  return (struct list){.data = bytes->data, .length = bytes->length, .count = count};
}

pid_t program_start(const struct program *program, int channel_end, const char *extra, struct report *report, const char **step) {
  char held[32];
  (void)snprintf(held, sizeof held, "/proc/self/fd/%d", program->bundle);
  *step = "bundle";
  int input = program->bundle < 0 ? descriptors_open_null() : open(held, O_RDONLY | O_CLOEXEC); /* anew, for it is read from its beginning */
  if (input < 0) return -1;
  struct placement placements[] = {
      {input, STDIN_FILENO}, {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}, {channel_end, CHANNEL_FD}};
  struct buffer args = {0};
  struct buffer environment = {0};
  environment_build_for_runtime(&environment, extra);
  struct launch launch = {
      .file = program->path, .program = program->runtime, .args = arguments(program, &args), .cwd = "/", .environment = &environment,
      .placements = placements, .placement_count = sizeof placements / sizeof *placements, .umask = UNCHANGED,
      .oom_score = INHERITED_OOM_SCORE, .death_signal = SIGKILL, .own_group = true,
      .nice = -facts->urgency, /* as urgent as the keeper itself */
  };
  pid_t pid = launch_start(&launch, report, step);
  int error = errno;
  (void)close(input);
  buffer_free(&args);
  buffer_free(&environment);
  errno = error;
  return pid;
}

void program_save(struct buffer *out) {
  save_descriptor(out, used.runtime);
  save_descriptor(out, used.bundle);
  buffer_text(out, used.path ? used.path : "");
}

bool program_load(struct reader *in) {
  used.runtime = load_descriptor(in);
  used.bundle = load_descriptor(in);
  used.path = span_text(read_bytes(in));
  return !in->failed;
}
