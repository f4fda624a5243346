/* Values and bytes of the engine, for C. An address in the engine's memory is a u32 and is checked here before it becomes a
 * pointer. The engine is trusted to keep its own heap consistent, but its lengths are checked. */
#ifndef ENGINE_GUEST_H
#define ENGINE_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "wasm.h"

/* A JSValue. The caller owns a returned one: it must free it or pass on ownership. */
typedef u64 value;

enum value_tag {
  TAG_STRING = -7,
  TAG_STRING_ROPE = -6,
  TAG_OBJECT = -1,
  TAG_INT = 0,
  TAG_BOOL = 1,
  TAG_NULL = 2,
  TAG_UNDEFINED = 3,
  TAG_EXCEPTION = 6,
};

/* clang-format off */
static inline s32 value_tag(value v) { return (s32)(v >> 32); }
static inline value value_of(enum value_tag tag, u32 payload) { return (u64)(u32)tag << 32 | payload; }
#define VALUE_UNDEFINED value_of(TAG_UNDEFINED, 0)
#define VALUE_NULL value_of(TAG_NULL, 0)
#define VALUE_EXCEPTION value_of(TAG_EXCEPTION, 0)
static inline value value_bool(bool is) { return value_of(TAG_BOOL, is); }
static inline value value_int(s32 number) { return value_of(TAG_INT, (u32)number); }
/* clang-format on */

/* Arguments of all engine functions, set at the start. `scratch`: 64 bytes of engine memory for results that are returned
 * through an address. */
struct guest {
  u32 context;
  u32 runtime;
  u32 scratch;
};
extern struct guest guest;

/* The bytes at an address, or NULL if they are not completely inside the memory. */
static inline u8 *guest_range(u32 at, u32 length) {
  if ((u64)at + length > (u64)wasm_memory_pages * WASM_PAGE) return NULL;
  return (u8 *)(WASM_MEMORY + at);
}

value value_number(double number);
/* UTF-8; invalid sequences become U+FFFD. An exception if memory runs out. */
value value_text(const char *bytes, size_t length);
value value_bytes(const void *bytes, size_t length);
value value_array(void);
/* Takes ownership of `v`, as value_set does. */
void value_push(value array, u32 place, value v);
void value_set(value object, const char *name, value v);
value value_get(value object, const char *name);
void value_free(value v);
/* Throws an Error. Returns VALUE_EXCEPTION. */
value value_throw(const char *message);

/* The number in `v`, which may be infinite. False if it is not a number, or NaN. */
bool value_to_number(value v, double *number);
/* The bytes of a Uint8Array in place, valid until the engine runs again. False if it is not a Uint8Array, or empty. */
bool value_to_bytes(value v, u8 **bytes, u32 *length);
/* The text of a string in UTF-8, NUL-terminated, valid until value_free_text. NULL if it is not a string. */
const char *value_to_text(value v, size_t *length);
void value_free_text(const char *text);

/* A NUL-terminated copy in the engine's memory; 0 if there is no room. Free it with export_free. */
u32 guest_copy(const void *bytes, size_t length);

#endif
