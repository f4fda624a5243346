#include "runtime.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "facts.h"
#include "memory.h"

char *runtime_path(const char *home, const char *chosen) {
  if (chosen && chosen[0] != '\0') return memory_copy_text(chosen, strlen(chosen));
  size_t room = strlen(home) + sizeof "/bin/runtime";
  char *path = memory_take(room);
  (void)snprintf(path, room, "%s/bin/runtime", home);
  return path;
}

bool runtime_has_commands(const char *path) {
  return strcmp(facts_name(path), "runtime") == 0;
}

/* Whatever is not called bun takes Node's options. */
static bool is_bun(const char *path) {
  return strncmp(facts_name(path), "bun", 3) == 0;
}

uint32_t runtime_options(const char *path, const char *options[RUNTIME_OPTIONS]) {
  uint32_t count = 0;
  options[count++] = path;
  if (!is_bun(path)) return count;
  options[count++] = "run"; /* always: `bun - x` would be `bun add` */
  options[count++] = "--no-env-file";
  options[count++] = "--config=/dev/null";
  options[count++] = "--no-install";
  return count;
}

uint32_t runtime_options_for(const char *path, const char *name, const char *options[RUNTIME_OPTIONS]) {
  uint32_t count = runtime_options(path, options);
  if (runtime_has_commands(path)) {
    options[count++] = name;
    return count;
  }
  if (!is_bun(path)) options[count++] = "--input-type=module";
  options[count++] = "-";
  return count;
}
