/* Formats prefixes, times and JSON strings. Bytes in, bytes out; no descriptors, no locks. */
#pragma once

#include "app/basics.h"

enum {
  /* Maximum length of a template text and of a JSON fragment. */
  TEMPLATE_LIMIT = 4096,
  /* Maximum growth of one byte in JSON. */
  JSON_GROWTH = 6,
  ISO_TIME_SIZE = 29,
};

/* The current second as text, so that the calendar is computed once a second. Initialize it with zeros. */
struct time_text {
  uint64_t second;
  bool valid;
  char go[16];
  char slashes[20];
  char iso[20];
  char offset[8];
};

/* A compiled template: literals and fields. `longest`: the maximum number of bytes that rendering writes. */
struct template {
  uint8_t *program;
  size_t length;
  size_t longest;
};

/* %t `Jan _2 15:04:05.000` and %d `2006/01/02 15:04:05`, both local, %T `Jan _2 15:04:05` (RFC 3164), %p the pid, %% a percent
 * sign; everything else is copied. -1 with E2BIG. */
int template_compile(struct template *template, const char *text);
/* The start of a JSON line, up to the line's text: `{"time":"…",FRAGMENT,"pid":1,"line":"`. */
int template_compile_json(struct template *template, const char *fragment);
/* Writes at most `longest` bytes to `out`; `at` is CLOCK_REALTIME in ms. Returns the length. */
size_t template_render(const struct template *template, struct time_text *times, uint64_t at, uint32_t pid, char *out);
void template_free(struct template *template);

/* Local time as `2026-11-21T03:45:00.123+05:30`: writes ISO_TIME_SIZE bytes. */
size_t format_iso_time(struct time_text *times, uint64_t at, char *out);
/* Decimal digits; writes at most 20 bytes. */
size_t format_number(uint64_t number, char *out);

/* Writes the inside of a JSON string (RFC 8259): at most JSON_GROWTH * length bytes. Each invalid UTF-8 sequence becomes one
 * U+FFFD, with the boundaries of the WHATWG Encoding Standard. Returns the length. */
size_t json_escape(char *out, const char *bytes, size_t length);

/* Where to cut without splitting a UTF-8 character: at `limit`, or up to three bytes earlier. `bytes` is longer than
 * `limit`. */
size_t text_cut(const char *bytes, size_t limit);
