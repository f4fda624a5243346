#include "supervisor/program.h"

#include <signal.h>

#include "app/descriptors.h"
#include "app/environment.h"
#include "app/facts.h"
#include "app/memory.h"
#include "protocol/protocol.h"

enum { CHANNEL_FD = 3 };

static struct program used = NO_PROGRAM;

const struct program *program_used(void) {
  return &used;
}

void program_close(struct program *program) {
  if (program->fd >= 0) (void)close(program->fd);
  free(program->path);
  *program = NO_PROGRAM;
}

void program_use(struct program *program) {
  program_close(&used);
  used = *program;
  *program = NO_PROGRAM;
}

int program_open(struct program *program, const char *path) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return -1;
  if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) return descriptors_drop(fd);
  *program = (struct program){.fd = fd, .path = memory_copy_text(path, strlen(path))};
  return 0;
}

int program_use_own(void) {
  int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  if (fd < 0) return -1;
  struct program own = {.fd = fd, .path = memory_copy_text(facts->path, strlen(facts->path))};
  program_use(&own);
  return 0;
}

/* The arguments as a list of texts. */
static struct list arguments(struct buffer *bytes) {
  buffer_text(bytes, SUPERVISOR_NAME);
  buffer_text(bytes, facts->program);
  struct list list = buffer_pack(bytes, facts->args);
  list.count += 2;
  return list;
}

pid_t program_start(const struct program *program, int channel_end, const struct list *variables, struct report *report,
                    const char **step) {
  *step = "input";
  SCOPED_FD input = descriptors_open_null();
  if (input < 0) return -1;
  struct placement placements[] = {
      {input, STDIN_FILENO}, {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}, {channel_end, CHANNEL_FD}};
  struct list none = {0};
  SCOPED_BUFFER args = {0};
  SCOPED_BUFFER environment = {0};
  environment_build(&environment, variables ? variables : &none, &none);
  struct launch launch = {
      .file = program->path,
      .program = program->fd,
      .args = arguments(&args),
      .cwd = "/",
      .environment = &environment,
      .placements = placements,
      .placement_count = sizeof placements / sizeof *placements,
      .umask = UNCHANGED,
      .oom_score = INHERITED_OOM_SCORE,
      .death_signal = SIGKILL,
      .own_group = true,
      .nice = -facts->raised_by, /* same priority as the keeper */
  };
  return launch_start(&launch, report, step);
}

/* Earlier versions also saved a script. */
void program_save(struct buffer *out) {
  save_descriptor(out, used.fd);
  save_descriptor(out, -1);
  buffer_text(out, used.path ? used.path : "");
}

bool program_load(struct reader *in) {
  used.fd = load_descriptor(in);
  int script = load_descriptor(in);
  if (script >= 0) (void)close(script);
  used.path = span_text(read_bytes(in));
  return !in->failed;
}
