#include "einhorn/wrapper.h"

#include <signal.h>

#include "app/environment.h"
#include "app/memory.h"
#include "process/defaults.h"
#include "protocol/protocol.h"

pid_t wrapper_start(const struct command_replaceSupervisor *wrapper, int end, struct report *report, const char **step) {
  struct placement placements[] = {
      {STDIN_FILENO, STDIN_FILENO}, {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}, {end, wrapper->fd}};
  struct list none = {0};
  SCOPED_BUFFER environment = {0};
  SCOPED_BUFFER limits = {0};
  environment_build(&environment, &none, &wrapper->unset);
  SCOPED_TEXT file = span_text(wrapper->file);
  struct launch launch = {
      .file = file,
      .program = -1,
      .args = wrapper->args,
      .cwd = "",
      .environment = &environment,
      .placements = placements,
      .placement_count = sizeof placements / sizeof *placements,
      .umask = UNCHANGED,
      .limits = defaults_limits(&limits, &none),
      .nice = defaults_nice(),
      .oom_score = INHERITED_OOM_SCORE,
      .death_signal = SIGKILL,
      .own_group = true,
  };
  return launch_start(&launch, report, step);
}
