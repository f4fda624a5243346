#include "execute.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "descriptors.h"
#include "environment.h"
#include "events.h"
#include "facts.h"
#include "handles.h"
#include "heartbeat.h"
#include "inherited.h"
#include "journal.h"
#include "lock.h"
#include "memory.h"
#include "output.h"
#include "program.h"
#include "protocol.h"
#include "signals.h"
#include "streams.h"
#include "supervisor.h"
#include "tick.h"
#include "workers.h"

#define STATE_VARIABLE "CRANK_KEEPER_STATE"
#define STATE_MAGIC "crankkpr"

enum { STATE_VERSION = 1, DEAD_MANS_SECONDS = 10 };

struct part {
  void (*save)(struct buffer *out);
  bool (*load)(struct reader *in);
};

/* In this order, which the version stands for. Workers and streams come late: they watch and use what is before them. */
static const struct part parts[] = {
    {facts_save, facts_load},         {environment_save, environment_load}, {inherited_save, inherited_load},
    {program_save, program_load},     {lock_save, lock_load},               {journal_save, journal_load},
    {events_save, events_load},       {handles_save, handles_load},         {workers_save, workers_load},
    {streams_save, streams_load},     {tick_save, tick_load},               {heartbeat_save, heartbeat_load},
    {commands_save, commands_load},   {supervisor_save, supervisor_load},
};

/* The state as it lies in the file: magic, version, length of the parts, the parts, then what the output thread writes. */
static int save_state(int fd) {
  struct buffer state = {0};
  buffer_add(&state, STATE_MAGIC, 8);
  buffer_u32(&state, STATE_VERSION);
  buffer_u64(&state, 0);
  size_t start = state.length;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) parts[i].save(&state);
  buffer_set_u64(&state, start - 8, state.length - start);
  int result = buffer_write(&state, fd);
  if (result == 0) result = output_save(fd);
  int error = errno;
  buffer_free(&state);
  errno = error;
  return result;
}

static const char *execute_image(int image, const char *path, int state, char *argv0) {
  char variable[48];
  (void)snprintf(variable, sizeof variable, "%d", state);
  if (setenv(STATE_VARIABLE, variable, 1) < 0) return "environment";
  size_t count = 0;
  while (facts->args[count]) count++;
  char **args = memory_take((count + 2) * sizeof *args);
  args[0] = argv0;
  memcpy(args + 1, facts->args, (count + 1) * sizeof *args);
  (void)fcntl(state, F_SETFD, 0);
  signals_dead_mans_alarm(DEAD_MANS_SECONDS);
  (void)execveat(image, "", args, environ, AT_EMPTY_PATH);
  (void)execve(path, args, environ);
  int error = errno;
  signals_dead_mans_alarm(0);
  (void)unsetenv(STATE_VARIABLE);
  free(args);
  errno = error;
  return "exec";
}

void execute_run(const char *path, char *argv0) {
  const char *step = "open";
  int image = open(path, O_PATH | O_CLOEXEC);
  int state = -1;
  bool ready = image >= 0 && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
  if (ready) {
    step = "memory";
    state = memfd_create("crank-state", MFD_CLOEXEC);
    ready = state >= 0;
  }
  if (ready) {
    output_stop();
    supervisor_end();
    step = "state";
    ready = save_state(state) == 0;
  }
  if (ready) step = execute_image(image, path, state, argv0);
  int error = errno;
  descriptors_close_on_exec();
  if (state >= 0) (void)output_start();
  if (image >= 0) (void)close(image);
  if (state >= 0) (void)close(state);
  events_failed(COMMAND_execute, 0, step, error);
}

int execute_left_state(void) {
  const char *variable = getenv(STATE_VARIABLE);
  if (!variable) return -1;
  int fd = atoi(variable);
  (void)unsetenv(STATE_VARIABLE);
  uint8_t magic[8];
  bool is_ours = fd > 2 && pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, STATE_MAGIC, 8) == 0;
  return is_ours ? fd : -1;
}

static bool load_parts(int state) {
  struct stat status;
  uint8_t head[20];
  if (fstat(state, &status) < 0 || pread(state, head, sizeof head, 0) != (ssize_t)sizeof head) return false;
  struct reader reader = reader_of(head + 8, 12);
  uint32_t version = read_u32(&reader);
  uint64_t length = read_u64(&reader);
  if (version != STATE_VERSION || length > (uint64_t)status.st_size - sizeof head) return false;
  void *bytes = mmap(NULL, sizeof head + length, PROT_READ, MAP_PRIVATE, state, 0);
  if (bytes == MAP_FAILED) return false;
  struct reader in = reader_of((uint8_t *)bytes + sizeof head, length);
  bool loaded = true;
  for (size_t i = 0; i < sizeof parts / sizeof *parts && loaded; i++) loaded = parts[i].load(&in);
  (void)munmap(bytes, sizeof head + length);
  return loaded && lseek(state, (off_t)(sizeof head + length), SEEK_SET) >= 0 && output_restore(state) == 0;
}

bool execute_resume(int state) {
  bool resumed = load_parts(state);
  (void)close(state);
  return resumed;
}
