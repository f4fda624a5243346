/* The format, byte by byte, is in docs/keeper-protocol.md. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "events.h"
#include "journal_log.h"
#include "memory.h"
#include "protocol.h"

enum {
  CHANGE_PUT = 1,
  CHANGE_REMOVE = 2,
  COMPACT_BYTES = 256 * 1024,
  COMPACT_TIMES = 4,
  RETRY_BATCHES = 256,
};

struct entry {
  char *key;
  uint32_t key_length;
  uint32_t length;
  uint64_t offset; /* of the value, in the file */
};

static struct log journal = {.fd = -1};
static char boot[64];
static char *journal_path; /* NULL while it was never given one */
static bool in_memory = true;
static struct entry *entries;
static uint32_t entry_count;
static uint32_t entry_capacity;
static uint64_t live_bytes;
static uint64_t number;
static uint64_t numbered_consumed;

static struct buffer record; /* the batch in the making */
static struct buffer commands;
static uint32_t change_count;
static uint32_t command_count;
static size_t change_count_at;

static struct entry *find_entry(struct span key) {
  for (uint32_t i = 0; i < entry_count; i++) {
    if (entries[i].key_length == key.length && memcmp(entries[i].key, key.data, key.length) == 0) return &entries[i];
  }
  return NULL;
}

static void forget_entry(struct entry *entry) {
  live_bytes -= entry->key_length + entry->length;
  free(entry->key);
  *entry = entries[--entry_count];
}

static void set_entry(struct span key, uint64_t offset, uint32_t length) {
  struct entry *entry = find_entry(key);
  if (!entry) {
    if (entry_count == entry_capacity) {
      entry_capacity = entry_capacity == 0 ? 16 : entry_capacity * 2;
      entries = memory_resize(entries, entry_capacity * sizeof *entries);
    }
    entry = &entries[entry_count++];
    *entry = (struct entry){.key = span_text(key), .key_length = (uint32_t)key.length};
    live_bytes += key.length;
  }
  live_bytes = live_bytes - entry->length + length;
  entry->offset = offset;
  entry->length = length;
}

static int copy_entry(struct log *log, struct buffer *buffer, const struct entry *entry, uint64_t *offset) {
  log_begin_record(buffer, RECORD_ENTRY);
  buffer_bytes(buffer, entry->key, entry->key_length);
  buffer_u32(buffer, entry->length);
  *offset = log->size + buffer->length;
  buffer_reserve(buffer, entry->length);
  if (log_read(&journal, buffer->data + buffer->length, entry->length, entry->offset) < 0) return -1;
  buffer->length += entry->length;
  return log_append(log, buffer);
}

/* Writes everything that counts into an empty file; where each value came to lie. */
static int write_all(struct log *fresh, uint64_t *offsets) {
  struct buffer buffer = {0};
  int result = log_write_header(fresh, boot);
  log_begin_record(&buffer, RECORD_NUMBERS);
  buffer_u64(&buffer, number);
  buffer_u64(&buffer, numbered_consumed);
  if (result == 0) result = log_append(fresh, &buffer);
  for (uint32_t i = 0; i < entry_count && result == 0; i++) result = copy_entry(fresh, &buffer, &entries[i], &offsets[i]);
  buffer_free(&buffer);
  return result;
}

/* The same, and goes on there. The old one stays if that fails. */
static int rewrite_into(int fd) {
  struct log fresh = {.fd = fd, .size = 0};
  uint64_t *offsets = memory_take(((size_t)entry_count + 1) * sizeof *offsets);
  int result = write_all(&fresh, offsets);
  if (result == 0) {
    for (uint32_t i = 0; i < entry_count; i++) entries[i].offset = offsets[i];
    if (journal.fd >= 0) (void)close(journal.fd);
    journal = fresh;
  }
  free(offsets);
  return result;
}

int journal_copy(void) {
  int fd = memfd_create("crank-journal-copy", MFD_CLOEXEC);
  if (fd < 0) return -1;
  struct log copy = {.fd = fd, .size = 0};
  uint64_t *offsets = memory_take(((size_t)entry_count + 1) * sizeof *offsets);
  int result = write_all(&copy, offsets);
  int error = errno;
  free(offsets);
  if (result == 0) return fd;
  (void)close(fd);
  errno = error;
  return -1;
}

static int rewrite_in_memory(void) {
  int fd = memfd_create("crank-journal", MFD_CLOEXEC);
  if (fd < 0) return -1;
  if (rewrite_into(fd) < 0) {
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
  }
  in_memory = true;
  return 0;
}

/* Replaces the file by a new one, which takes its name only when it is whole. */
static int rewrite_on_disk(const char **step) {
  char name[4096];
  *step = "open";
  int length = snprintf(name, sizeof name, "%s.new", journal_path);
  if (length < 0 || (size_t)length >= sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  (void)unlink(name);
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return -1;
  *step = "write";
  if (rewrite_into(fd) < 0) {
    int error = errno;
    (void)close(fd);
    (void)unlink(name);
    errno = error;
    return -1;
  }
  in_memory = false;
  if (rename(name, journal_path) == 0) return 0;
  int error = errno;
  (void)unlink(name); /* still open: the caller goes on in memory, out of it */
  errno = error;
  return -1;
}

int journal_start(const char *boot_id) {
  (void)snprintf(boot, sizeof boot, "%s", boot_id);
  return rewrite_in_memory();
}

/* Whatever journal was there counts until the new one is whole, and then no more. */
int journal_move(const char *path, const char **step) {
  char *before = journal_path;
  bool was_in_memory = in_memory;
  journal_path = memory_copy_text(path, strlen(path));
  if (rewrite_on_disk(step) == 0) {
    free(before);
    return 0;
  }
  int error = errno;
  free(journal_path);
  journal_path = before;
  in_memory = was_in_memory;
  errno = error;
  return -1;
}

void journal_begin(uint64_t consumed) {
  log_begin_record(&record, RECORD_BATCH);
  commands.length = 0;
  change_count = command_count = 0;
  numbered_consumed = consumed;
  buffer_u64(&record, number + 1);
  buffer_u64(&record, consumed);
  change_count_at = record.length;
  buffer_u32(&record, 0);
}

void journal_put(struct span key, struct span value) {
  buffer_u8(&record, CHANGE_PUT);
  buffer_bytes(&record, key.data, key.length);
  buffer_bytes(&record, value.data, value.length);
  change_count++;
}

void journal_remove(struct span key) {
  buffer_u8(&record, CHANGE_REMOVE);
  buffer_bytes(&record, key.data, key.length);
  change_count++;
}

void journal_command(uint8_t code, uint64_t id) {
  buffer_u8(&commands, code);
  buffer_u64(&commands, id);
  command_count++;
}

static void report_failure(const char *step, int error) {
  struct buffer *event = events_begin(MESSAGE_journalFailed);
  buffer_text(event, step);
  buffer_u32(event, (uint32_t)error);
  events_post(0);
}

/* Appends the record; a disk that does not take it is left for memory. */
static bool append_somewhere(struct buffer *buffer) {
  if (log_append(&journal, buffer) == 0) return true;
  int error = errno;
  if (in_memory) return false;
  if (rewrite_in_memory() < 0) return false;
  report_failure("write", error);
  return log_append(&journal, buffer) == 0;
}

/* Brings the index up to date with the record that was just written at `offset`. */
static void index_record(uint64_t offset) {
  struct reader reader = reader_of(record.data, record.length);
  reader.at += change_count_at;
  uint32_t changes = read_u32(&reader);
  for (uint32_t i = 0; i < changes && !reader.failed; i++) {
    uint8_t change = read_u8(&reader);
    struct span key = read_bytes(&reader);
    if (change == CHANGE_PUT) {
      struct span value = read_bytes(&reader);
      set_entry(key, offset + (uint64_t)(value.data - record.data), (uint32_t)value.length);
    } else {
      struct entry *entry = find_entry(key);
      if (entry) forget_entry(entry);
    }
  }
}

bool journal_write(void) {
  buffer_set_u32(&record, change_count_at, change_count);
  buffer_u32(&record, command_count);
  buffer_add(&record, commands.data, commands.length);
  bool written = append_somewhere(&record);
  if (written) {
    number++;
    index_record(journal.size - record.length);
  }
  if (record.capacity > 16 * 1024) buffer_free(&record);
  if (commands.capacity > 16 * 1024) buffer_free(&commands);
  return written;
}

static void compact(void) {
  if (journal_path && (!in_memory || number % RETRY_BATCHES == 0)) {
    const char *step = "";
    if (rewrite_on_disk(&step) == 0) return;
    if (in_memory) return; /* still no room on the disk */
    int error = errno;
    if (rewrite_in_memory() == 0) report_failure("compact", error);
    return;
  }
  (void)rewrite_in_memory(); /* if not: the old one goes on, and grows */
}

void journal_mark_applied(void) {
  log_begin_record(&record, RECORD_APPLIED);
  buffer_u64(&record, number);
  (void)append_somewhere(&record); /* without the mark the commands count as perhaps done, which is the safe side */
  bool is_big = journal.size > COMPACT_BYTES && journal.size > COMPACT_TIMES * live_bytes;
  bool is_displaced = in_memory && journal_path && number % RETRY_BATCHES == 0;
  if (is_big || is_displaced) compact();
}

uint32_t journal_entries(void) {
  return entry_count;
}

bool journal_read_entry(uint32_t index, struct buffer *out) {
  if (index >= entry_count) return false;
  const struct entry *entry = &entries[index];
  buffer_bytes(out, entry->key, entry->key_length);
  buffer_u32(out, entry->length);
  buffer_reserve(out, entry->length);
  if (log_read(&journal, out->data + out->length, entry->length, entry->offset) < 0) return false;
  out->length += entry->length;
  return true;
}

void journal_delete(void) {
  if (journal_path) (void)unlink(journal_path);
}

void journal_save(struct buffer *out) {
  save_descriptor(out, journal.fd);
  buffer_u64(out, journal.size);
  buffer_text(out, journal_path ? journal_path : "");
  buffer_u8(out, in_memory ? 1 : 0);
  buffer_u64(out, number);
  buffer_u64(out, numbered_consumed);
  buffer_u32(out, entry_count);
  for (uint32_t i = 0; i < entry_count; i++) {
    buffer_bytes(out, entries[i].key, entries[i].key_length);
    buffer_u64(out, entries[i].offset);
    buffer_u32(out, entries[i].length);
  }
}

bool journal_load(struct reader *in) {
  if (journal.fd >= 0) (void)close(journal.fd);
  journal.fd = load_descriptor(in);
  journal.size = read_u64(in);
  struct span path = read_bytes(in);
  journal_path = path.length > 0 ? span_text(path) : NULL;
  in_memory = read_u8(in) == 1;
  number = read_u64(in);
  numbered_consumed = read_u64(in);
  uint32_t count = read_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    struct span key = read_bytes(in);
    uint64_t offset = read_u64(in);
    uint32_t length = read_u32(in);
    if (!in->failed) set_entry(key, offset, length);
  }
  return !in->failed;
}
