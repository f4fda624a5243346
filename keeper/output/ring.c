#include "output/ring.h"

#include "app/memory.h"
#include "app/pages.h"
#include "output/format.h"

size_t entry_cut(const char *bytes, size_t length) {
  if (length <= ENTRY_LIMIT) return length;
  const char *newline = memrchr(bytes, '\n', ENTRY_LIMIT);
  return newline ? (size_t)(newline - bytes) + 1 : text_cut(bytes, ENTRY_LIMIT);
}

/* Entries are stored one after another. A quarter more room than the limit, so that they seldom have to be moved to the
 * front. */
static size_t size_of(const struct ring *ring) {
  return ring->limit + ring->limit / 4;
}

static size_t entry_size(size_t length) {
  return sizeof(struct entry) + length;
}

bool ring_put(struct ring *ring, const struct entry *entry, const char *bytes) {
  size_t size = entry_size(entry->length), held = ring->end - ring->start;
  if (held + size > ring->limit) return false;
  if (!ring->pages) ring->pages = pages_take(size_of(ring));
  if (ring->end + size > size_of(ring)) {
    memmove(ring->pages, ring->pages + ring->start, held);
    ring->start = 0;
    ring->end = held;
  }
  memcpy(ring->pages + ring->end, entry, sizeof *entry);
  memcpy(ring->pages + ring->end + sizeof *entry, bytes, entry->length);
  ring->end += size;
  return true;
}

void ring_make_room(struct ring *ring, size_t length) {
  while (!ring_is_empty(ring) && ring->end - ring->start + entry_size(length) > ring->limit) ring_drop_first(ring);
}

bool ring_read(const struct ring *ring, size_t *at, struct entry *entry, const char **bytes) {
  if (*at >= ring->end - ring->start) return false;
  const char *place = ring->pages + ring->start + *at;
  memcpy(entry, place, sizeof *entry);
  *bytes = place + sizeof *entry;
  *at += entry_size(entry->length);
  return true;
}

void ring_drop_first(struct ring *ring) {
  struct entry entry;
  const char *bytes;
  size_t size = 0;
  if (ring_read(ring, &size, &entry, &bytes)) ring->start += size;
  if (ring->start == ring->end) ring->start = ring->end = 0;
}

bool ring_is_empty(const struct ring *ring) {
  return ring->start == ring->end;
}

void ring_free(struct ring *ring) {
  pages_free(ring->pages, size_of(ring));
  ring->pages = NULL;
  ring->start = ring->end = 0;
}

void tail_add(struct tail *tail, const char *bytes, size_t length) {
  if (length == 0) return;
  if (!tail->bytes) tail->bytes = memory_take(TAIL_SIZE);
  if (length > TAIL_SIZE) {
    tail->written += length - TAIL_SIZE;
    bytes += length - TAIL_SIZE;
    length = TAIL_SIZE;
  }
  size_t place = (size_t)(tail->written % TAIL_SIZE);
  size_t first = length < TAIL_SIZE - place ? length : TAIL_SIZE - place;
  memcpy(tail->bytes + place, bytes, first);
  memcpy(tail->bytes, bytes + first, length - first);
  tail->written += length;
}

size_t tail_read(const struct tail *tail, char *out, size_t cap) {
  size_t held = tail->written < TAIL_SIZE ? (size_t)tail->written : TAIL_SIZE;
  size_t length = held < cap ? held : cap;
  if (length == 0) return 0;
  size_t place = (size_t)((tail->written - length) % TAIL_SIZE);
  size_t first = length < TAIL_SIZE - place ? length : TAIL_SIZE - place;
  memcpy(out, tail->bytes + place, first);
  memcpy(out + first, tail->bytes, length - first);
  if (length == tail->written) return length;
  const char *newline = memchr(out, '\n', length - 1);
  if (!newline) return length;
  size_t skipped = (size_t)(newline - out) + 1;
  memmove(out, out + skipped, length - skipped);
  return length - skipped;
}

void tail_free(struct tail *tail) {
  free(tail->bytes);
  *tail = (struct tail){0};
}
