/* UTF-8 to strings and back. */
#include "host.h"
#include "utf8.h"

/* decode(bytes, start, length, isStrict): what is not UTF-8 becomes U+FFFD, or, strictly, undefined as a whole */
static value text_decode(struct arguments *in) {
  struct bytes part = take_part(in, 0);
  bool is_strict = take_bool(in, 3);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (is_strict && !utf8_is_valid(part.at, part.length)) return VALUE_UNDEFINED;
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
