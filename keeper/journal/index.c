#include "journal/index.h"

#include "app/memory.h"

static struct entry *entries;
static uint32_t entry_count;
static uint64_t live_bytes;

uint32_t index_count(void) {
  return entry_count;
}

uint64_t index_bytes(void) {
  return live_bytes;
}

const struct entry *index_entry(uint32_t number) {
  return &entries[number];
}

static struct entry *find_entry(struct span key) {
  for (uint32_t i = 0; i < entry_count; i++) {
    if (entries[i].key_length == key.length && memcmp(entries[i].key, key.data, key.length) == 0) return &entries[i];
  }
  return NULL;
}

void index_remove(struct span key) {
  struct entry *entry = find_entry(key);
  if (!entry) return;
  live_bytes -= entry->key_length + entry->length;
  free(entry->key);
  *entry = entries[--entry_count];
}

void index_set(struct span key, uint64_t offset, uint32_t length) {
  struct entry *entry = find_entry(key);
  if (!entry) {
    entries = memory_grow(entries, entry_count, sizeof *entries);
    entry = &entries[entry_count++];
    *entry = (struct entry){.key = span_text(key), .key_length = (uint32_t)key.length};
    live_bytes += key.length;
  }
  live_bytes = live_bytes - entry->length + length;
  entry->offset = offset;
  entry->length = length;
}

void index_move(uint32_t number, uint64_t offset) {
  entries[number].moved = offset;
}

void index_use_moved(void) {
  for (uint32_t i = 0; i < entry_count; i++) entries[i].offset = entries[i].moved;
}

void index_save(struct buffer *out) {
  buffer_u32(out, entry_count);
  for (uint32_t i = 0; i < entry_count; i++) {
    buffer_bytes(out, span_of(entries[i].key, entries[i].key_length));
    buffer_u64(out, entries[i].offset);
    buffer_u32(out, entries[i].length);
  }
}

void index_load(struct reader *in) {
  uint32_t count = read_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    struct span key = read_bytes(in);
    uint64_t offset = read_u64(in);
    uint32_t length = read_u32(in);
    if (!in->failed) index_set(key, offset, length);
  }
}
