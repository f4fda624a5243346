#define _GNU_SOURCE
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exports.h"

static const struct host_function *const subjects[] = {
    host_files,    host_beside, host_directories, host_sockets, host_processes, host_signals,
    host_terminal, host_clock,  host_text,        host_fields,  host_engine,
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects, SUBJECT_SHIFT = 8, GENERIC_MAGIC = 1 };

static bool is_refusing;
static int argument_count;
static char *const *argument_texts;

/* Arguments -------------------------------------------------------------------------------------------------------- */

static void reject(struct arguments *in, const char *wrong) {
  if (in->wrong == NULL) in->wrong = wrong;
}

static value at(const struct arguments *in, u32 place) {
  return place < in->count ? in->values[place] : VALUE_UNDEFINED;
}

bool are_right(const struct arguments *in) {
  return in->wrong == NULL && in->error == 0;
}

double take_number(struct arguments *in, u32 place) {
  double number = 0;
  if (!value_to_number(at(in, place), &number)) reject(in, "an argument is not a number");
  return number;
}

s64 take_whole(struct arguments *in, u32 place, s64 least) {
  double number = take_number(in, place);
  if (number == (double)(s64)(number > -9e15 && number < 9e15 ? number : 0) && number >= (double)least) return (s64)number;
  reject(in, "an argument is not a whole number in its range");
  return 0;
}

s32 take_int(struct arguments *in, u32 place, s32 least, s32 most) {
  s64 number = take_whole(in, place, least);
  if (number > most) reject(in, "an argument is not a whole number in its range");
  return number > most ? 0 : (s32)number;
}

int take_fd(struct arguments *in, u32 place) {
  return take_int(in, place, 0, INT_MAX);
}

bool take_bool(struct arguments *in, u32 place) {
  value v = at(in, place);
  if (value_tag(v) != TAG_BOOL) reject(in, "an argument is not a boolean");
  return (u32)v == 1;
}

const char *take_text(struct arguments *in, u32 place) {
  size_t length = 0;
  const char *text = place < HOST_MOST_ARGUMENTS ? value_to_text(at(in, place), &length) : NULL;
  if (text == NULL) {
    reject(in, "an argument is not a string");
    return "";
  }
  in->texts[place] = text;
  if (strlen(text) != length) in->error = EINVAL;
  return text;
}

struct bytes take_bytes(struct arguments *in, u32 place) {
  struct bytes bytes = {0};
  if (!value_to_bytes(at(in, place), &bytes.at, &bytes.length)) {
    reject(in, "an argument is not a Uint8Array");
    bytes = (struct bytes){.at = (u8 *)"", .length = 0};
  }
  return bytes;
}

struct bytes take_part(struct arguments *in, u32 place) {
  struct bytes whole = take_bytes(in, place);
  u32 start = (u32)take_int(in, place + 1, 0, INT_MAX);
  u32 length = (u32)take_int(in, place + 2, 0, INT_MAX);
  if (start > whole.length || length > whole.length - start) {
    reject(in, "a part lies outside of its Uint8Array");
    return (struct bytes){.at = whole.at, .length = 0};
  }
  return (struct bytes){.at = whole.at + start, .length = length};
}

value result_of(s64 result) {
  return result < 0 ? value_int(-errno) : value_number((double)result);
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

static value finish(struct arguments *in, const struct host_function *function, value result) {
  for (u32 i = 0; i < HOST_MOST_ARGUMENTS; i++) value_free_text(in->texts[i]);
  if (in->wrong == NULL && in->error == 0) return result;
  value_free(result);
  if (in->wrong == NULL) return value_int(-in->error);
  char message[160];
  (void)snprintf(message, sizeof message, "hostCalls.%s: %s", function->name, in->wrong);
  return value_throw(message);
}

void host_refuse_system(void) {
  is_refusing = true;
}

static bool asks_system(u32 subject) {
  return subjects[subject] != host_text && subjects[subject] != host_fields && subjects[subject] != host_engine;
}

/* The engine calls this for each of the functions; `number` identifies it. */
static u64 dispatch(u32 context, u64 this, u32 count, u32 values, u32 number) {
  (void)context;
  (void)this;
  const struct host_function *function = NULL;
  u32 subject = number >> SUBJECT_SHIFT;
  if (subject < SUBJECTS) function = &subjects[subject][number & ((1 << SUBJECT_SHIFT) - 1)];
  if (function == NULL) wasm_trap(TRAP_INDIRECT_CALL);
  struct arguments in = {.count = count > HOST_MOST_ARGUMENTS ? HOST_MOST_ARGUMENTS : count};
  const u8 *given = guest_range(values, in.count * 8);
  if (given == NULL) wasm_trap(TRAP_OUT_OF_BOUNDS);
  memcpy(in.values, given, in.count * 8);
  bool is_refused = is_refusing && asks_system(subject);
  if (is_refused) in.wrong = "called while a module is loaded: the answer would be part of the image";
  value result = is_refused ? VALUE_UNDEFINED : function->call(&in);
  return finish(&in, function, result);
}

/* A closed standard descriptor would become the number of the next file or connection, which would then get printed output.
 * This fills it with a descriptor that can be neither read nor written (EBADF), as if it were closed. */
static void keep_standard_places(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0) (void)open("/", O_PATH);
  }
}

void host_prepare(int argc, char **argv) {
  keep_standard_places();
  /* A reader that is gone causes the error EPIPE instead. Started programs get the default action back. */
  (void)signal(SIGPIPE, SIG_IGN);
  argument_count = argc;
  argument_texts = argv;
  wasm_table[WASM_TABLE_SIZE] = (struct wasm_entry){(wasm_function *)dispatch, TYPE_i32_i64_i32_i32_i32_to_i64};
  wasm_table_size = WASM_TABLE_SIZE + 1;
}

int host_argument_count(void) {
  return argument_count;
}

char *const *host_arguments(void) {
  return argument_texts;
}

void host_add_functions(value object) {
  for (u32 subject = 0; subject < SUBJECTS; subject++) {
    for (u32 i = 0; subjects[subject][i].name != NULL; i++) {
      const struct host_function *function = &subjects[subject][i];
      u32 name = guest_copy(function->name, strlen(function->name));
      u32 number = subject << SUBJECT_SHIFT | i;
      value v = export_JS_NewCFunction2(guest.context, WASM_TABLE_SIZE, name, function->parameters, GENERIC_MAGIC, number);
      (void)export_JS_SetPropertyStr(guest.context, object, name, v);
      export_free(name);
    }
  }
}
