#include "utf8.h"

/* How many bytes follow the first byte of a character; -1 if it cannot be a first byte. */
static int following(u8 first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

/* Excludes overlong forms, surrogates, and characters above U+10FFFF (RFC 3629). */
static bool may_follow(u8 first, u8 second) {
  if ((second & 0xc0) != 0x80) return false;
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second < 0xa0;
  if (first == 0xf0) return second >= 0x90;
  return first != 0xf4 || second < 0x90;
}

/* The length of the first part: a character, or the longest valid prefix of one, or a single invalid byte. */
static size_t first_part(const u8 *bytes, size_t length, bool *is_character) {
  int more = following(bytes[0]);
  *is_character = false;
  if (more < 0) return 1;
  for (size_t i = 1; i <= (size_t)more; i++) {
    if (i >= length) return i;
    bool goes_on = i == 1 ? may_follow(bytes[0], bytes[1]) : (bytes[i] & 0xc0) == 0x80;
    if (!goes_on) return i;
  }
  *is_character = true;
  return (size_t)more + 1;
}

bool utf8_is_valid(const u8 *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    u64 eight;
    if (length - at >= sizeof eight) {
      memcpy(&eight, bytes + at, sizeof eight);
      if ((eight & 0x8080808080808080u) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    bool is_character;
    at += first_part(bytes + at, length - at, &is_character);
    if (!is_character) return false;
  }
  return true;
}

static const u8 REPLACEMENT[3] = {0xef, 0xbf, 0xbd};

size_t utf8_repair(u8 *to, const u8 *bytes, size_t length) {
  size_t made = 0;
  for (size_t at = 0; at < length;) {
    bool is_character;
    size_t part = first_part(bytes + at, length - at, &is_character);
    memcpy(to + made, is_character ? bytes + at : REPLACEMENT, is_character ? part : sizeof REPLACEMENT);
    made += is_character ? part : sizeof REPLACEMENT;
    at += part;
  }
  return made;
}

void utf8_replace_surrogates(u8 *bytes, size_t length) {
  u8 *end = bytes + length;
  for (u8 *at = memchr(bytes, 0xed, length); at != NULL && end - at >= 3; at = memchr(at, 0xed, (size_t)(end - at))) {
    if (at[1] >= 0xa0) memcpy(at, REPLACEMENT, sizeof REPLACEMENT);
    at += 3;
  }
}
