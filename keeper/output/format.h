/* How a line is marked and quoted: templates, times, JSON strings. Only bytes in and out; no descriptors, no locks. */
#ifndef KEEPER_OUTPUT_FORMAT_H
#define KEEPER_OUTPUT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  /* The longest template text and JSON fragment. */
  TEMPLATE_LIMIT = 4096,
  /* The most that JSON makes of one byte. */
  JSON_GROWTH = 6,
  ISO_TIME_SIZE = 29,
};

/* The times of the current second as text, so that a calendar is asked once a second. Zeroed to begin with. */
struct time_text {
  uint64_t second;
  bool valid;
  char go[16];
  char slashes[20];
  char iso[20];
  char offset[8];
};

/* A compiled template: what to copy and what to fill in. `longest`: the most bytes that rendering it can make. */
struct template {
  uint8_t *program;
  size_t length;
  size_t longest;
};

/* %t `Jan _2 15:04:05.000` and %d `2006/01/02 15:04:05`, both local, %T `Jan _2 15:04:05` (RFC 3164), %p the pid,
 * %% a per cent sign; anything else stands for itself. -1 with E2BIG. */
int template_compile(struct template *template, const char *text);
/* The beginning of a JSON line up to the line itself: `{"time":"…",FRAGMENT,"pid":1,"line":"`. */
int template_compile_json(struct template *template, const char *fragment);
/* Writes at most `longest` bytes to `out`; `at` is CLOCK_REALTIME in ms. Returns how many. */
size_t template_render(const struct template *template, struct time_text *times, uint64_t at, uint32_t pid, char *out);
void template_free(struct template *template);

/* `2026-11-21T03:45:00.123+05:30`, local: writes ISO_TIME_SIZE bytes. */
size_t format_iso_time(struct time_text *times, uint64_t at, char *out);
/* Decimal digits; writes at most 20 bytes. */
size_t format_number(uint64_t number, char *out);

/* The inside of a JSON string (RFC 8259): at most JSON_GROWTH * length bytes. What is not UTF-8 becomes U+FFFD, one for
 * each part that could have begun a character (as the WHATWG Encoding Standard does). Returns how many bytes. */
size_t json_escape(char *out, const char *bytes, size_t length);

/* Where to cut so that no UTF-8 character is cut in two: `limit`, or up to three less. `bytes` has more than `limit`. */
size_t text_cut(const char *bytes, size_t limit);

#endif
