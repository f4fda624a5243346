#include "app/facts.h"

#include <limits.h>
#include <stdarg.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "app/priority.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"

enum { LOW_OOM_SCORE = -900 };

static struct facts known = {.program = "crank", .oom_score = INHERITED_OOM_SCORE};
const struct facts *const facts = &known;

static int write_directly(int sink, const char *bytes, size_t length) {
  return write(sink, bytes, length) < 0 ? -1 : 0;
}

static int (*write_sentence)(int sink, const char *bytes, size_t length) = write_directly;

void say_through(int (*write)(int sink, const char *bytes, size_t length)) {
  write_sentence = write;
}

/* Whether stderr is systemd's journal, which reads a priority <N> at the start of a line (sd-daemon(3)). */
static bool to_journal(void) {
  const char *journal = getenv("JOURNAL_STREAM");
  struct stat stream;
  char identity[64];
  if (!journal || fstat(STDERR_FILENO, &stream) < 0) return false;
  (void)snprintf(identity, sizeof identity, "%ju:%ju", (uintmax_t)stream.st_dev, (uintmax_t)stream.st_ino);
  return strcmp(journal, identity) == 0;
}

void say(const char *format, ...) {
  char sentence[1024];
  char line[1200];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(sentence, sizeof sentence, format, arguments);
  va_end(arguments);
  int length = snprintf(line, sizeof line, "%s%.100s: %s\n", to_journal() ? "<3>" : "", known.program, sentence);
  if (length > 0) (void)write_sentence(STDERR_FILENO, line, (size_t)length);
}

const char *facts_name(const char *argv0) {
  const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
  return slash ? slash + 1 : argv0 ? argv0 : "crank";
}

char *facts_home(void) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0) return NULL;
  path[n] = '\0';
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(path, '/');
    if (!slash) break;
    *slash = '\0';
  }
  return memory_copy_text(path, strlen(path));
}

/* The first line of a small file; empty if it cannot be read. */
static void read_line(const char *path, char *line, size_t room) {
  (void)descriptors_read_text(path, line, room);
  line[strcspn(line, "\n")] = '\0';
}

static char *current_directory(void) {
  char path[PATH_MAX];
  if (!getcwd(path, sizeof path)) return memory_copy_text("/", 1);
  return memory_copy_text(path, strlen(path));
}

bool facts_have_directory(void) {
  char path[PATH_MAX];
  if (getcwd(path, sizeof path) || errno != ENOENT) return true;
  say("the working directory does not exist any more: change to another one and retry");
  return false;
}

static void raise_limits(void) {
  if (getrlimit(RLIMIT_NOFILE, &known.files) < 0) known.files = (struct rlimit){.rlim_cur = 1024, .rlim_max = 4096};
  struct rlimit raised = {.rlim_cur = known.files.rlim_max, .rlim_max = known.files.rlim_max};
  (void)setrlimit(RLIMIT_NOFILE, &raised);
}

static void lower_oom_score(void) {
  char line[32];
  read_line("/proc/self/oom_score_adj", line, sizeof line);
  if (line[0] == '\0') return;
  known.oom_score = atoi(line);
  if (known.oom_score <= LOW_OOM_SCORE) return;
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)dprintf(fd, "%d", LOW_OOM_SCORE); /* refused without privileges, which is fine */
  (void)close(fd);
}

static bool leads_to_us(const char *path) {
  struct stat there;
  struct stat here;
  return stat(path, &there) == 0 && stat("/proc/self/exe", &here) == 0 && there.st_dev == here.st_dev &&
         there.st_ino == here.st_ino;
}

/* The path that the kernel executed. A parent that executes a descriptor, as systemd does, mostly puts the path into argv[0];
 * else it is the location of the program. */
static char *path_of_image(const char *called_by) {
  char absolute[2 * PATH_MAX];
  /* getauxval(3) returns the pointer as a number. */
  const char *given = (const char *)(uintptr_t)getauxval(AT_EXECFN);
  bool is_path = given && given[0] != '\0' && strncmp(given, "/dev/fd/", 8) != 0;
  if (!is_path && strchr(called_by, '/') && leads_to_us(called_by)) {
    given = called_by;
    is_path = true;
  }
  if (is_path && given[0] == '/') return memory_copy_text(given, strlen(given));
  int length;
  if (is_path) length = snprintf(absolute, sizeof absolute, "%s/%s", strcmp(known.cwd, "/") == 0 ? "" : known.cwd, given);
  else length = (int)readlink("/proc/self/exe", absolute, sizeof absolute - 1);
  return memory_copy_text(absolute, length > 0 && (size_t)length < sizeof absolute ? (size_t)length : 0);
}

bool facts_collect(int argc, char **argv) {
  known.program = facts_name(argv[0]);
  known.called_by = argv[0];
  known.args = argv + (argc > 0 ? 1 : 0);
  known.pid = (uint32_t)getpid();
  known.started_at = clock_now();
  known.home = facts_home();
  if (!known.home) {
    say("cannot find its own program in /proc/self/exe: %s; /proc must be mounted", strerror(errno));
    return false;
  }
  char line[64];
  read_line("/proc/sys/kernel/random/boot_id", line, sizeof line);
  known.boot_id = memory_copy_text(line, strlen(line));
  known.cwd = current_directory();
  known.path = path_of_image(argv[0]);
  return true;
}

void facts_take_precedence(void) {
  raise_limits();
  lower_oom_score();
  known.raised_by = priority_take();
}

void facts_set_cwd(struct span cwd) {
  free(known.cwd);
  known.cwd = span_text(cwd);
}

void facts_set_files(struct rlimit files) {
  known.files = files;
}

/* clang-format off */
#define SAVED(FIELD) \
  FIELD(u64, started_at) FIELD(u32, executions) FIELD(u64, files.rlim_cur) FIELD(u64, files.rlim_max) FIELD(i32, oom_score) \
  FIELD(i32, raised_by)
/* clang-format on */

void facts_save(struct buffer *out) {
  struct facts next = known;
  const struct facts *it = &next;
  next.executions++;
  SAVED(SAVE)
  buffer_text(out, known.cwd);
}

bool facts_load(struct reader *in) {
  struct facts *it = &known;
  SAVED(LOAD)
  struct span cwd = read_bytes(in);
  if (in->failed) return false;
  facts_set_cwd(cwd);
  return true;
}

void facts_save_path(struct buffer *out) {
  buffer_text(out, known.path);
}

bool facts_load_path(struct reader *in) {
  struct span path = read_bytes(in);
  if (in->failed) return false;
  free(known.path);
  known.path = span_text(path);
  return true;
}
