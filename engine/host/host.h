/* The host functions that TypeScript can call (src/host/engine/calls.ts has their types). Each belongs to one subject and
 * checks all its arguments: a wrong type or an offset outside of a buffer throws a TypeError and accesses nothing. A failed
 * system call returns the negative error number. */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include "guest.h"

enum { HOST_MOST_ARGUMENTS = 8 };

/* The arguments of one call. `wrong` describes the first invalid one. */
struct arguments {
  u32 count;
  value values[HOST_MOST_ARGUMENTS];
  const char *texts[HOST_MOST_ARGUMENTS];
  const char *wrong;
  int error;
};

struct host_function {
  const char *name;
  u32 parameters;
  /* Returns a new value. It is dropped if `wrong` is set, and replaced with the negative `error` if that is set. */
  value (*call)(struct arguments *in);
};

/* One file each; the last entry has no name. The order of the functions is part of an image. */
extern const struct host_function host_files[];
extern const struct host_function host_beside[];
extern const struct host_function host_directories[];
extern const struct host_function host_sockets[];
extern const struct host_function host_processes[];
extern const struct host_function host_signals[];
extern const struct host_function host_terminal[];
extern const struct host_function host_clock[];
extern const struct host_function host_text[];
extern const struct host_function host_fields[];
extern const struct host_function host_engine[];

/* Adds all functions to an object. */
void host_add_functions(value object);
/* Adds the C function behind all of them to the module's table, and stores the arguments of this program. Call it first at each
 * start. */
void host_prepare(int argc, char **argv);
/* From now on until the process ends, every function that asks the system throws. */
void host_refuse_system(void);
int host_argument_count(void);
char *const *host_arguments(void);

/* An integer from `least` to `most`. */
s32 take_int(struct arguments *in, u32 place, s32 least, s32 most);
int take_fd(struct arguments *in, u32 place);
/* An integer up to 2^53, at least `least`. */
s64 take_whole(struct arguments *in, u32 place, s64 least);
double take_number(struct arguments *in, u32 place);
bool take_bool(struct arguments *in, u32 place);
/* Text without a NUL, valid until the call ends. A NUL causes the error EINVAL, as for other invalid paths. */
const char *take_text(struct arguments *in, u32 place);

struct bytes {
  u8 *at;
  u32 length;
};
/* A Uint8Array in place. */
struct bytes take_bytes(struct arguments *in, u32 place);
/* A part of a Uint8Array: three arguments, the array, the offset and the length. */
struct bytes take_part(struct arguments *in, u32 place);
/* Whether all arguments were valid, so that the call may continue. */
bool are_right(const struct arguments *in);

/* The result of a system call, or the negative error number. */
value result_of(s64 result);

#endif
