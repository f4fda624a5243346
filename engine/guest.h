/* Values and bytes of the engine, as C sees them. Addresses in its memory come as u32 and are checked here before they become
 * pointers: the engine is trusted to keep its own heap in order, but not to hand out lengths that were never checked. */
#ifndef ENGINE_GUEST_H
#define ENGINE_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "wasm.h"

/* A JSValue. One that is returned by a function belongs to the caller, who frees it or hands it on. */
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

static inline s32 value_tag(value v) { return (s32)(v >> 32); }
static inline value value_of(enum value_tag tag, u32 payload) { return (u64)(u32)tag << 32 | payload; }
#define VALUE_UNDEFINED value_of(TAG_UNDEFINED, 0)
#define VALUE_NULL value_of(TAG_NULL, 0)
#define VALUE_EXCEPTION value_of(TAG_EXCEPTION, 0)
static inline value value_bool(bool is) { return value_of(TAG_BOOL, is); }
static inline value value_int(s32 number) { return value_of(TAG_INT, (u32)number); }

/* What all functions of the engine want: set when it starts. `scratch` is 64 bytes of its memory, for results that come
 * through an address. */
struct guest {
  u32 context;
  u32 runtime;
  u32 scratch;
};
extern struct guest guest;

/* The bytes at an address, or NULL if not all of them lie in the memory. */
static inline u8 *guest_range(u32 at, u32 length) {
  if ((u64)at + length > (u64)wasm_memory_pages * WASM_PAGE) return NULL;
  return (u8 *)(WASM_MEMORY + at);
}

value value_number(double number);
/* UTF-8; what is not becomes U+FFFD. An exception if there is no memory left. */
value value_text(const char *bytes, size_t length);
value value_bytes(const void *bytes, size_t length);
value value_array(void);
/* `v` belongs to the array afterwards, as with set. */
void value_push(value array, u32 place, value v);
void value_set(value object, const char *name, value v);
value value_get(value object, const char *name);
void value_free(value v);
/* An Error that is thrown. Returns VALUE_EXCEPTION. */
value value_throw(const char *message);

/* The finite or infinite number that `v` is; false if it is none. */
bool value_to_number(value v, double *number);
/* The bytes of a Uint8Array, in place: until the engine runs again. False if it is none. */
bool value_to_bytes(value v, u8 **bytes, u32 *length);
/* The text of a string in UTF-8, with a NUL behind it, until it is freed with value_free_text. NULL if it is none. */
const char *value_to_text(value v, size_t *length);
void value_free_text(const char *text);

/* A copy in the engine's memory, with a NUL behind it; 0 if there is no room. Freed with export_free. */
u32 guest_copy(const void *bytes, size_t length);

#endif
