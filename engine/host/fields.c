/* Packs numbers and texts into bytes and back, several per call: the fields of the keeper's frames. A layout has one letter per
 * field: b, w, i, q for u8, u32, i32, u64, little-endian; t for a text and y for bytes, with their length in four bytes before
 * them. */
#include "host/host.h"

#include <limits.h>
#include <string.h>

struct number_kind {
  char letter;
  u32 size;
  double least, most;
};

/* A u64 is limited to the integers that a JavaScript number represents exactly. */
static const struct number_kind numbers[] = {
    {'b', 1, 0, 0xff},
    {'w', 4, 0, 0xffffffff},
    {'i', 4, INT32_MIN, INT32_MAX},
    {'q', 8, 0, 9007199254740991},
};
enum { KINDS = sizeof numbers / sizeof *numbers };

static const struct number_kind *kind_of(char letter) {
  for (u32 i = 0; i < KINDS; i++)
    if (numbers[i].letter == letter) return &numbers[i];
  return NULL;
}

/* The buffer to write or read, and the current offset. */
struct cursor {
  struct bytes room;
  u32 at;
};

static u8 *step(struct cursor *cursor, size_t count) {
  if (count > cursor->room.length - cursor->at) return NULL;
  u8 *place = cursor->room.at + cursor->at;
  cursor->at += (u32)count;
  return place;
}

static void put_whole(u8 *to, u64 number, u32 size) {
  for (u32 i = 0; i < size; i++) to[i] = (u8)(number >> (8 * i));
}

static u64 get_whole(const u8 *from, u32 size) {
  u64 number = 0;
  for (u32 i = 0; i < size; i++) number |= (u64)from[i] << (8 * i);
  return number;
}

static bool pack_number(struct cursor *cursor, const struct number_kind *kind, value v) {
  double number = 0;
  if (!value_to_number(v, &number) || !(number >= kind->least && number <= kind->most)) return false;
  s64 whole = (s64)number;
  if ((double)whole != number) return false;
  u8 *to = step(cursor, kind->size);
  if (to != NULL) put_whole(to, (u64)whole, kind->size);
  return to != NULL;
}

static bool pack_text(struct cursor *cursor, struct arguments *in, u32 place) {
  size_t length = 0;
  const char *text = in->texts[place] = value_to_text(in->values[place], &length);
  if (text == NULL || length > UINT32_MAX - 4) return false;
  u8 *to = step(cursor, 4 + length);
  if (to == NULL) return false;
  put_whole(to, length, 4);
  memcpy(to + 4, text, length);
  return true;
}

/* A cursor at offset `start` in the array, which ends at `end`. */
static struct cursor cursor_at(struct arguments *in, u32 start, u32 end) {
  struct cursor cursor = {.room = {.at = (u8 *)""}};
  if (!are_right(in)) return cursor;
  cursor = (struct cursor){.room = take_bytes(in, 0), .at = start};
  if (end < cursor.room.length) cursor.room.length = end;
  if (cursor.at > cursor.room.length) cursor.at = cursor.room.length;
  return cursor;
}

/* pack(bytes, start, layout, a value per letter …): the end offset, or -1 if a value is out of range or the array is too
 * small */
static value fields_pack(struct arguments *in) {
  u32 start = (u32)take_int(in, 1, 0, INT_MAX);
  const char *layout = take_text(in, 2);
  struct cursor cursor = cursor_at(in, start, UINT32_MAX);
  if (!are_right(in)) return VALUE_UNDEFINED;
  for (u32 place = 3; *layout != '\0'; layout++, place++) {
    if (place >= in->count) return value_int(-1);
    const struct number_kind *kind = kind_of(*layout);
    bool fits = kind != NULL ? pack_number(&cursor, kind, in->values[place]) : pack_text(&cursor, in, place);
    if (!fits) return value_int(-1);
  }
  return value_number(cursor.at);
}

/* Reads the next value and appends it. False if it is incomplete. */
static bool unpack_one(struct cursor *cursor, char letter, value values, u32 place) {
  const struct number_kind *kind = kind_of(letter);
  const u8 *from = step(cursor, kind != NULL ? kind->size : 4);
  if (from == NULL) return false;
  u64 bits = get_whole(from, kind != NULL ? kind->size : 4);
  if (kind != NULL) {
    double number = letter == 'i' ? (double)(s32)(u32)bits : (double)bits;
    if (number > kind->most) return false;
    value_push(values, place, value_number(number));
    return true;
  }
  from = step(cursor, bits);
  if (from == NULL) return false;
  value_push(values, place, letter == 't' ? value_text((const char *)from, bits) : value_bytes(from, bits));
  return true;
}

/* unpack(bytes, start, end, layout): an array of the values, or -1 if the layout does not match all bytes */
static value fields_unpack(struct arguments *in) {
  u32 start = (u32)take_int(in, 1, 0, INT_MAX), end = (u32)take_int(in, 2, 0, INT_MAX);
  const char *layout = take_text(in, 3);
  struct cursor cursor = cursor_at(in, start, end);
  if (!are_right(in)) return VALUE_UNDEFINED;
  value values = value_array();
  bool is_right = true;
  for (u32 place = 0; is_right && layout[place] != '\0'; place++) is_right = unpack_one(&cursor, layout[place], values, place);
  if (is_right && cursor.at == end) return values;
  value_free(values);
  return value_int(-1);
}

const struct host_function host_fields[] = {
    {"pack", 8, fields_pack},
    {"unpack", 4, fields_unpack},
    {0},
};
