// Escapes JSON strings, and finds where UTF-8 may be cut. Declared in format.h.
#include "output/format.h"

#define EACH_BYTE 0x0101010101010101u
#define HIGH_BITS 0x8080808080808080u

/* Whether any of eight bytes is a control character, a quote, a backslash or not ASCII. A subtraction sets a byte's high bit if
 * the byte is smaller. That is exact here because bytes with the high bit set count as special anyway. */
static bool any_special(const char *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  uint64_t quote = word ^ (EACH_BYTE * '"'), backslash = word ^ (EACH_BYTE * '\\');
  uint64_t low = word - EACH_BYTE * 0x20, quotes = quote - EACH_BYTE, backslashes = backslash - EACH_BYTE;
  return ((word | low | quotes | backslashes) & HIGH_BITS) != 0;
}

static bool is_special(uint8_t byte) {
  return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

/* The length of a character with this first byte, and the range of its second byte (Unicode, table 3-7). 0: invalid. */
static size_t character_shape(uint8_t first, uint8_t *low, uint8_t *high) {
  *low = 0x80;
  *high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first == 0xe0) *low = 0xa0;
  if (first == 0xed) *high = 0x9f;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first == 0xf0) *low = 0x90;
  if (first == 0xf4) *high = 0x8f;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/* Reads a character that is not ASCII, or the longest valid prefix of one; `whole` tells which. Returns the number of bytes. */
static size_t take_character(const uint8_t *bytes, size_t length, bool *whole) {
  uint8_t low, high;
  size_t size = character_shape(bytes[0], &low, &high), got = 1;
  while (got < size && got < length && bytes[got] >= low && bytes[got] <= high) {
    got++;
    low = 0x80;
    high = 0xbf;
  }
  *whole = size > 0 && got == size;
  return got;
}

static size_t put_escape(char *out, uint8_t byte) {
  static const char hex[] = "0123456789abcdef";
  static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
  out[0] = '\\';
  out[1] = byte == '"' || byte == '\\' ? (char)byte : byte < sizeof letters && letters[byte] ? letters[byte] : 'u';
  if (out[1] != 'u') return 2;
  memcpy(out + 2, "00", 2);
  out[4] = hex[byte >> 4];
  out[5] = hex[byte & 15];
  return 6;
}

size_t json_escape(char *out, const char *bytes, size_t length) {
  const uint8_t *in = (const uint8_t *)bytes;
  char *to = out;
  size_t at = 0;
  while (at < length) {
    // `to` has at least as much room as is left of `bytes`, so eight bytes may be written where eight are left.
    while (length - at >= 8 && !any_special(bytes + at)) {
      memcpy(to, bytes + at, 8);
      to += 8;
      at += 8;
    }
    while (at < length && !is_special(in[at])) *to++ = bytes[at++];
    if (at == length) break;
    if (in[at] < 0x80) {
      to += put_escape(to, in[at++]);
      continue;
    }
    bool whole;
    size_t size = take_character(in + at, length - at, &whole);
    if (whole) memcpy(to, in + at, size);
    else memcpy(to, "\xef\xbf\xbd", 3);
    to += whole ? size : 3;
    at += size;
  }
  return (size_t)(to - out);
}

size_t text_cut(const char *bytes, size_t limit) {
  const uint8_t *in = (const uint8_t *)bytes;
  size_t start = limit;
  for (size_t back = 1; back <= 3 && back <= limit; back++) {
    if ((in[limit - back] & 0xc0) == 0x80) continue;
    if (in[limit - back] >= 0xc0) start = limit - back;
    break;
  }
  if (start == limit || start == 0) return limit;
  uint8_t low, high;
  return character_shape(in[start], &low, &high) > limit - start ? start : limit;
}
