/* UTF-8 to strings and back. */
#include "host/host.h"
#include "utf8.h"

/* decode(bytes, start, length, isStrict): invalid UTF-8 becomes U+FFFD, or the result is undefined if isStrict */
static value text_decode(struct arguments *in) {
  struct bytes part = take_part(in, 0);
  bool is_strict = take_bool(in, 3);
  if (!are_right(in)) return VALUE_UNDEFINED;
  if (is_strict && !utf8_is_valid(part.at, part.length)) return VALUE_UNDEFINED;
  return value_text((const char *)part.at, part.length);
}

/* encode(text): the text may contain NULs. */
static value text_encode(struct arguments *in) {
  size_t length = 0;
  const char *text = in->count > 0 ? value_to_text(in->values[0], &length) : NULL;
  if (text == NULL) {
    in->wrong = "an argument is not a string";
    return VALUE_UNDEFINED;
  }
  in->texts[0] = text;
  return value_bytes(text, length);
}

const struct host_function host_text[] = {
    {"decode", 4, text_decode},
    {"encode", 1, text_encode},
    {0},
};
