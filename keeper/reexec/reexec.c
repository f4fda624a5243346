#include "reexec/reexec.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "app/descriptors.h"
#include "app/facts.h"
#include "app/memory.h"
#include "output/output.h"

#define STATE_VARIABLE "CRANK_KEEPER_STATE"
#define DRY_RUN_VARIABLE "CRANK_KEEPER_REHEARSAL"
#define STATE_MAGIC "crankkpr"

enum { STATE_VERSION = 5, DEAD_MANS_SECONDS = 10, DRY_RUN_SECONDS = 5 };

static const struct part *parts; /* ends with an entry without `save` */
static bool is_dry_run;          /* this image only shows that it could take over */

void reexec_keeps(const struct part *list) {
  parts = list;
}

bool reexec_is_dry_run(void) {
  return is_dry_run;
}

void reexec_dead_mans_alarm(unsigned int seconds) {
  sigset_t alarm_only;
  (void)sigemptyset(&alarm_only);
  (void)sigaddset(&alarm_only, SIGALRM);
  /* Discards a pending alarm from another process, which would end the keeper now. */
  const struct timespec at_once = {0};
  if (seconds > 0) (void)sigtimedwait(&alarm_only, NULL, &at_once);
  (void)alarm(seconds);
  (void)sigprocmask(seconds > 0 ? SIG_UNBLOCK : SIG_BLOCK, &alarm_only, NULL);
}

/* The state file: magic, version, length of the parts, the parts, then the state of the output thread. */
static int save_state(int fd) {
  SCOPED_BUFFER state = {0};
  buffer_add(&state, STATE_MAGIC, 8);
  buffer_u32(&state, STATE_VERSION);
  buffer_u64(&state, 0);
  size_t start = state.length;
  for (const struct part *part = parts; part->save; part++) part->save(&state);
  buffer_set_u64(&state, start - 8, state.length - start);
  return buffer_write(&state, fd) == 0 ? output_save(fd) : -1;
}

static const char *become(int image, const char *path, int state, unsigned int patience) {
  char variable[48];
  (void)snprintf(variable, sizeof variable, "%d", state);
  if (setenv(STATE_VARIABLE, variable, 1) < 0) return "environment";
  size_t count = 0;
  while (facts->args[count]) count++;
  char **args = memory_take((count + 2) * sizeof *args);
  args[0] = facts->called_by;
  memcpy(args + 1, facts->args, (count + 1) * sizeof *args);
  (void)fcntl(state, F_SETFD, 0);
  reexec_dead_mans_alarm(patience);
  (void)descriptors_execute(image, path, args, environ);
  (void)execve(path, args, environ);
  int error = errno;
  reexec_dead_mans_alarm(0);
  (void)unsetenv(STATE_VARIABLE);
  free(args);
  errno = error;
  return "exec";
}

static const char *reexec_image(const char *path, unsigned int patience) {
  SCOPED_FD image = open(path, O_PATH | O_CLOEXEC);
  if (image < 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) return "open";
  SCOPED_FD state = memfd_create("crank-state", MFD_CLOEXEC);
  if (state < 0) return "memory";
  if (save_state(state) < 0) return "state";
  return become(image, path, state, patience);
}

const char *reexec_dry_run(const char *path) {
  if (setenv(DRY_RUN_VARIABLE, "1", 1) < 0) return "environment";
  return reexec_image(path, DRY_RUN_SECONDS);
}

const char *reexec_look_ahead(const char *path) {
  if (access(path, X_OK) < 0) return "open";
  int state = memfd_create("crank-state", MFD_CLOEXEC);
  if (state < 0) return "memory";
  (void)close(state);
  return NULL;
}

const char *reexec_run(const char *path) {
  const char *step = reexec_image(path, DEAD_MANS_SECONDS);
  int error = errno;
  (void)descriptors_mark_from(3);
  errno = error;
  return step;
}

int reexec_left_state(void) {
  const char *variable = getenv(STATE_VARIABLE);
  if (!variable) return -1;
  int fd = atoi(variable);
  (void)unsetenv(STATE_VARIABLE);
  is_dry_run = getenv(DRY_RUN_VARIABLE) != NULL;
  (void)unsetenv(DRY_RUN_VARIABLE);
  uint8_t magic[8];
  bool is_ours = fd > 2 && pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, STATE_MAGIC, 8) == 0;
  return is_ours ? fd : -1;
}

static enum resumed load_parts(int state) {
  struct stat status;
  uint8_t head[20];
  if (fstat(state, &status) < 0 || pread(state, head, sizeof head, 0) != (ssize_t)sizeof head) return RESUME_DAMAGED;
  struct reader reader = reader_of(head + 8, 12);
  uint32_t version = read_u32(&reader);
  uint64_t length = read_u64(&reader);
  if (version > STATE_VERSION) return RESUME_LATER_VERSION;
  if (version == 0 || length > (uint64_t)status.st_size - sizeof head) return RESUME_DAMAGED;
  void *bytes = mmap(NULL, sizeof head + length, PROT_READ, MAP_PRIVATE, state, 0);
  if (bytes == MAP_FAILED) return RESUME_DAMAGED;
  struct reader in = reader_of((uint8_t *)bytes + sizeof head, length);
  bool loaded = true;
  for (const struct part *part = parts; part->save && loaded; part++) {
    if (part->since <= version) loaded = part->load(&in);
  }
  loaded = loaded && in.at == in.end; /* a known version has no unknown bytes at the end */
  (void)munmap(bytes, sizeof head + length);
  loaded = loaded && lseek(state, (off_t)(sizeof head + length), SEEK_SET) >= 0 && output_restore(state) == 0;
  return loaded ? RESUME_DONE : RESUME_DAMAGED;
}

enum resumed reexec_resume(int state) {
  enum resumed resumed = load_parts(state);
  (void)close(state);
  return resumed;
}
