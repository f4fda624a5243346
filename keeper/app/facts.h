/* Facts about the keeper: how it was called, where it is installed, and which attributes it changed at its start and restores
 * in the processes that it starts. */
#pragma once

#include <sys/resource.h>

#include "app/basics.h"
#include "protocol/wire.h"

#ifndef CRANK_VERSION
#define CRANK_VERSION "0.1.0"
#endif

struct facts {
  uint32_t pid;
  uint64_t started_at; /* CLOCK_MONOTONIC, ms */
  char *boot_id;
  char *home; /* <home>/bin/crank is this program */
  char *cwd;
  const char *program; /* the last part of argv[0] */
  char *path;          /* path of the first image: absolute, links not followed */
  char *called_by;     /* argv[0] */
  char **args;         /* without argv[0]; NULL at the end */
  uint32_t executions;
  struct rlimit files; /* original RLIMIT_NOFILE */
  int oom_score;       /* original value; INHERITED_OOM_SCORE if it could not be read */
  int raised_by;       /* how far the keeper lowered its nice value; workers start without this */
};

extern const struct facts *const facts;

/* False after it wrote a sentence to stderr. */
bool facts_collect(int argc, char **argv);
/* False after it wrote a sentence to stderr: the working directory was removed, so relative paths would lead elsewhere. */
bool facts_have_directory(void);
/* Raises the descriptor limit and the priority, and lowers the OOM score; all survive an exec. */
void facts_take_precedence(void);
/* Call when a wrapper changed the directory. */
void facts_set_cwd(struct span cwd);
/* Call when a wrapper changed the descriptor limit for processes. */
void facts_set_files(struct rlimit files);
/* The directory above bin/, from /proc/self/exe; the caller frees it. NULL with errno. */
char *facts_home(void);
const char *facts_name(const char *argv0);

void facts_save(struct buffer *out);
bool facts_load(struct reader *in);
void facts_save_path(struct buffer *out);
bool facts_load_path(struct reader *in);

/* From now on, messages go through `write` (output_log), which never waits for the reader of stderr. */
void say_through(int (*write)(int sink, const char *bytes, size_t length));
/* Writes one sentence to stderr, after the program's name. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
