/* UTF-8 to strings and back. */
#include <string.h>

#include "host.h"

/* How many bytes follow the first one of a character; -1 if none begins with it. */
static int following(u8 first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

/* Neither longer than it has to be, nor half of a surrogate pair, nor beyond U+10FFFF (RFC 3629). */
static bool may_follow(u8 first, u8 second) {
  if ((second & 0xc0) != 0x80) return false;
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second < 0xa0;
  if (first == 0xf0) return second >= 0x90;
  return first != 0xf4 || second < 0x90;
}

static bool is_utf8(const u8 *bytes, u32 length) {
  for (u32 i = 0; i < length;) {
    int more = following(bytes[i]);
    if (more < 0 || (u32)more >= length - i) return false;
    if (more > 0 && !may_follow(bytes[i], bytes[i + 1])) return false;
    for (int j = 2; j <= more; j++) {
      if ((bytes[i + (u32)j] & 0xc0) != 0x80) return false;
    }
    i += (u32)more + 1;
  }
  return true;
}

/* decode(bytes, start, length, isStrict): what is not UTF-8 becomes U+FFFD, or, strictly, undefined as a whole */
static value text_decode(struct arguments *in) {
  struct bytes part = take_part(in, 0);
  bool is_strict = take_bool(in, 3);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (is_strict && !is_utf8(part.at, part.length)) return VALUE_UNDEFINED;
  return value_text((const char *)part.at, part.length);
}

static value encoded(struct arguments *in, value (*make)(const char *text, size_t length)) {
  size_t length = 0;
  const char *text = in->count > 0 ? value_to_text(in->values[0], &length) : NULL;
  if (text == NULL) {
    in->wrong = "an argument is not a string";
    return VALUE_UNDEFINED;
  }
  in->texts[0] = text;
  return make(text, length);
}

static value bytes_of(const char *text, size_t length) {
  return value_bytes(text, length);
}

static value length_of(const char *text, size_t length) {
  (void)text;
  return value_number((double)length);
}

/* A NUL is a character like any other here. */
static value text_encode(struct arguments *in) {
  return encoded(in, bytes_of);
}

static value text_encoded_length(struct arguments *in) {
  return encoded(in, length_of);
}

const struct host_function host_text[] = {
    {"decode", 4, text_decode},
    {"encode", 1, text_encode},
    {"encodedLength", 1, text_encoded_length},
    {0},
};
