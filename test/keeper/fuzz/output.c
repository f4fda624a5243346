/* A libFuzzer target for how lines are cut, marked, quoted and kept. The first byte selects what the rest is: worker
 * output, a template, or the state that a keeper leaves for its successor. Each result is compared with that of a
 * slower, simpler implementation.
 *
 *   clang -std=c11 -D_GNU_SOURCE -Ikeeper -g -O1 -fsanitize=fuzzer,address,undefined -pthread -o fuzz \
 *     test/keeper/fuzz/output.c $(ls keeper/output/?*.c) keeper/protocol/wire.c keeper/app/memory.c */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/memory.h"
#include "output/thread.h"

enum { PIECES = 5, OUT_SIZE = 4 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds) abort();
}

/* Decodes the contents of a JSON string; aborts on what RFC 8259 forbids. */
static size_t unescape(const char *text, size_t length, char *out) {
  size_t used = 0;
  for (size_t at = 0; at < length; at++) {
    check((unsigned char)text[at] >= 0x20 && text[at] != '"');
    if (text[at] != '\\') {
      out[used++] = text[at];
      continue;
    }
    check(++at < length);
    static const char letters[] = "\"\\bfnrt", meant[] = "\"\\\b\f\n\r\t";
    const char *letter = strchr(letters, text[at]);
    if (letter) {
      out[used++] = meant[letter - letters];
      continue;
    }
    check(text[at] == 'u' && length - at > 4);
    char digits[5] = {text[at + 1], text[at + 2], text[at + 3], text[at + 4], 0};
    out[used++] = (char)strtoul(digits, NULL, 16);
    at += 4;
  }
  return used;
}

/* Whether the bytes are UTF-8, decoded character by character. */
static bool is_utf8(const char *bytes, size_t length) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  for (size_t at = 0; at < length;) {
    uint8_t first = (uint8_t)bytes[at];
    size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (size == 0 || length - at < size) return false;
    uint32_t code = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
      if (((uint8_t)bytes[at + i] & 0xc0) != 0x80) return false;
      code = code << 6 | ((uint8_t)bytes[at + i] & 0x3f);
    }
    if (size > 1 && (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))) return false;
    at += size;
  }
  return true;
}

static void try_json(const char *bytes, size_t length) {
  char *text = malloc(JSON_GROWTH * length + 1), *back = malloc(JSON_GROWTH * length + 1);
  check(text && back);
  size_t escaped = json_escape(text, bytes, length);
  check(escaped <= JSON_GROWTH * length);
  size_t used = unescape(text, escaped, back);
  check(is_utf8(back, used));
  if (is_utf8(bytes, length)) check(used == length && memcmp(back, bytes, length) == 0);
  free(text);
  free(back);
}

/* Text written in chunks comes out unchanged, except for a newline at the end. */
static void try_lines(const char *bytes, size_t length, size_t chunk) {
  int fd = memfd_create("out", MFD_CLOEXEC);
  check(fd >= 0);
  struct sink sink;
  sink_start(&sink, "out", fd);
  struct route route = {.number = 1, .sink = &sink};
  struct mark mark;
  check(mark_compile(&mark, "", "") == 0);
  char *held = malloc(length + 1);
  check(held);
  size_t half = 0;
  for (size_t at = 0; at < length;) {
    size_t n = length - at < chunk ? length - at : chunk;
    memcpy(held + half, bytes + at, n);
    size_t done = pass_lines(&route, &mark, 1, 1000, held, half + n, false);
    half = half + n - done;
    check(half <= LINE_LIMIT);
    memmove(held, held + done, half);
    at += n;
  }
  check(pass_lines(&route, &mark, 1, 1000, held, half, true) == half);
  check(sink_write(&sink));
  static char got[OUT_SIZE];
  ssize_t n = pread(fd, got, sizeof got, 0);
  size_t added = length > 0 && bytes[length - 1] != '\n' ? 1 : 0;
  check(n == (ssize_t)(length + added) && memcmp(got, bytes, length) == 0);
  sink_stop(&sink);
  mark_free(&mark);
  free(held);
  (void)close(fd);
}

static void try_kept(const char *bytes, size_t length) {
  struct ring ring = {.limit = 32 * 1024};
  struct tail tail = {0};
  char out[TAIL_SIZE];
  tail_add(&tail, bytes, length);
  size_t n = tail_read(&tail, out, sizeof out);
  check(n <= length && (n == 0 || memcmp(out, bytes + length - n, n) == 0));
  struct entry entry = {.worker = 1}, found;
  const char *kept;
  for (size_t done = 0; done < length; done += entry.length) {
    entry.length = (uint32_t)entry_cut(bytes + done, length - done);
    check(entry.length > 0 && entry.length <= ENTRY_LIMIT);
    ring_make_room(&ring, entry.length);
    check(ring_put(&ring, &entry, bytes + done));
  }
  size_t total = 0;
  for (size_t at = 0; ring_read(&ring, &at, &found, &kept);) total += found.length;
  for (size_t at = 0, from = length - total; ring_read(&ring, &at, &found, &kept); from += found.length) {
    check(memcmp(kept, bytes + from, found.length) == 0);
  }
  ring_free(&ring);
  tail_free(&tail);
}

static void try_template(const char *bytes, size_t length) {
  char *text = memory_copy_text(bytes, length), out[8 * TEMPLATE_LIMIT + 128];
  struct template template;
  struct time_text times = {0};
  if (template_compile(&template, text) == 0) {
    check(template_render(&template, &times, 1795232700123, 4194304, out) <= template.longest);
    template_free(&template);
  }
  if (template_compile_json(&template, text) == 0) {
    check(template_render(&template, &times, 1795232700123, 4194304, out) <= template.longest);
    template_free(&template);
  }
  free(text);
}

/* Any state of a predecessor is refused or taken over, and what was taken over is the same after writing and reading. */
static void try_state(const uint8_t *bytes, size_t length) {
  struct output output = {.wake_fd = -1, .event_fd = -1, .pipes_fd = -1, .kept = {.limit = KEPT_LIMIT}};
  sink_start(&output.out, "out", -1);
  sink_start(&output.err, "err", -1);
  sink_start(&output.datagrams, "log", -1);
  output.route = (struct route){.number = 1, .sink = &output.out};
  struct reader reader = reader_of(bytes, length);
  struct buffer saved = {0};
  bool loaded = table_load(&output, &reader);
  // The descriptors are only numbers here.
  output.datagrams.fd = -1;
  for (struct source *source = output.sources; source; source = source->next) source->fd = -1;
  if (loaded) table_save(&output, &saved);
  buffer_free(&saved);
  while (output.sources) table_free(&output, output.sources);
  while (output.followers.first) followers_remove(&output.followers, output.followers.first->id);
  for (int i = 0; i < LOG_SINKS; i++) buffer_free(&output.logs[i].bytes);
  ring_free(&output.kept);
  sink_stop(&output.out);
  sink_stop(&output.err);
  sink_stop(&output.datagrams);
  template_free(&output.route.header);
  free(output.header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  const char *bytes = (const char *)data + 2;
  size_t length = size - 2;
  switch (data[0] % PIECES) {
    case 0: try_json(bytes, length); break;
    case 1: try_lines(bytes, length, 1 + (size_t)data[1] * 16); break;
    case 2: try_kept(bytes, length); break;
    case 3: try_template(bytes, length); break;
    default: try_state(data + 2, length); break;
  }
  return 0;
}
