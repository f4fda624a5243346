/* The functions of the host that TypeScript can call (src/host/engine/calls.ts has their types). Each belongs to one subject
 * and checks all that it is given: a wrong type or a place outside of a buffer is a TypeError, never an access. A call of the
 * system that fails returns the negative error number. */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include "guest.h"

enum { HOST_MOST_ARGUMENTS = 8 };

/* The arguments of one call. `wrong` is set by the first one that is not what was asked for. */
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
  /* A new value. What it returns is dropped if `wrong` is set, and is the negative `error` if that is. */
  value (*call)(struct arguments *in);
};

/* Defined in a file each, ended by one without a name. Their order is part of an image. */
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

/* Adds all of them to an object, as functions. */
void host_add_functions(value object);
/* Puts the one C function that stands behind all of them into the module's table, and keeps what this program was called
 * with: first of all, at each start. */
void host_prepare(int argc, char **argv);
/* From now on every function throws that asks the system, until this process ends. */
void host_refuse_system(void);
int host_argument_count(void);
char *const *host_arguments(void);

/* A whole number from `least` to `most`. */
s32 take_int(struct arguments *in, u32 place, s32 least, s32 most);
int take_fd(struct arguments *in, u32 place);
/* A whole number up to 2^53, or from -2^53 on. */
s64 take_whole(struct arguments *in, u32 place, s64 least);
double take_number(struct arguments *in, u32 place);
bool take_bool(struct arguments *in, u32 place);
/* Text without a NUL, until the call ends. One with a NUL is the error EINVAL, as the system says of other wrong paths. */
const char *take_text(struct arguments *in, u32 place);

struct bytes {
  u8 *at;
  u32 length;
};
/* A Uint8Array, in place. */
struct bytes take_bytes(struct arguments *in, u32 place);
/* A part of one: the array, where it starts, how long it is. Three arguments. */
struct bytes take_part(struct arguments *in, u32 place);
/* Whether a call may go on: all arguments were right. */
bool are_right(const struct arguments *in);

/* What a call of the system returned: as it is, or the negative error number. */
value result_of(s64 result);

#endif
