/* The fields of one part of a saved state, written and read from one list:
 *
 *   #define SAVED(FIELD) FIELD(u64, id) FIELD(descriptor, fd) FIELD(flag, listening)
 *   static void save(struct buffer *out, const struct handle *it) { SAVED(SAVE) }
 *   static void load(struct reader *in, struct handle *it) { SAVED(LOAD) }
 */
#pragma once

#include "app/basics.h"
#include "app/descriptors.h"
#include "protocol/wire.h"

#define SAVE(type, field) save_##type(out, it->field);
#define LOAD(type, field) it->field = load_##type(in);

#define save_u8 buffer_u8
#define save_u32 buffer_u32
#define save_i32 buffer_i32
#define save_u64 buffer_u64
#define load_u8 read_u8
#define load_u32 read_u32
#define load_i32 read_i32
#define load_u64 read_u64

static inline void save_flag(struct buffer *out, bool flag) {
  buffer_u8(out, flag);
}

static inline bool load_flag(struct reader *in) {
  return read_u8(in) == 1;
}

/* A text of its owner's; NULL is saved like an empty one. */
static inline void save_text(struct buffer *out, const char *text) {
  buffer_text(out, text ? text : "");
}

static inline char *load_text(struct reader *in) {
  struct span text = read_bytes(in);
  return text.length > 0 ? span_text(text) : NULL;
}
