/* What the keeper knows of itself: how it was called, where it lives, and what it changed of itself at its start and
 * gives back to the processes that it starts. */
#ifndef KEEPER_APP_FACTS_H
#define KEEPER_APP_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "protocol/wire.h"

#ifndef CRANK_VERSION
#define CRANK_VERSION "0.1.0"
#endif

struct facts {
  uint32_t pid;
  uint64_t started_at;   /* CLOCK_MONOTONIC, ms */
  char *boot_id;
  char *home;            /* <home>/bin/crank is this program */
  char *cwd;
  const char *program;   /* the last part of argv[0] */
  char *path;            /* by which the first image was started: absolute, links not followed */
  char *called_by;       /* argv[0] */
  char **args;           /* without argv[0]; NULL at the end */
  uint32_t executions;
  struct rlimit files;   /* RLIMIT_NOFILE as it was */
  int oom_score;         /* as it was; INHERITED_OOM_SCORE if it could not be read */
  int raised_by;          /* by how much its nice value is lower than it was; workers get theirs back */
};

extern const struct facts *const facts;

/* Collects them. False, with a sentence on stderr. */
bool facts_collect(int argc, char **argv);
/* False, with a sentence on stderr: it was removed, and relative paths would lead elsewhere. */
bool facts_have_directory(void);
/* Raises the limit of descriptors, the odds against the out-of-memory killer, and the priority; all outlast an execution. */
void facts_take_precedence(void);
/* A wrapper changed the directory. */
void facts_set_cwd(struct span cwd);
/* A wrapper changed the limit of descriptors that processes are to get. */
void facts_set_files(struct rlimit files);
/* The directory above bin/, found by /proc/self/exe, to be freed; NULL with errno. */
char *facts_home(void);
const char *facts_name(const char *argv0);

void facts_save(struct buffer *out);
bool facts_load(struct reader *in);
void facts_save_path(struct buffer *out);
bool facts_load_path(struct reader *in);

/* From here on sentences go through `write` (output_log), which never waits for the reader of stderr. */
void say_through(int (*write)(int sink, const char *bytes, size_t length));
/* One sentence on stderr, behind the program's name. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
