/* The format, byte by byte, is in docs/reference/keeper-protocol.md. Longer than other files, because the batch, the file and
 * the way back to the disk share one state. */
#include "journal/journal.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/files.h"
#include "app/memory.h"
#include "journal/index.h"
#include "journal/log.h"
#include "loop/timer.h"
#include "protocol/frames.h"

enum {
  CHANGE_PUT = 1,
  CHANGE_REMOVE = 2,
  COMPACT_BYTES = 256 * 1024,
  COMPACT_TIMES = 4,
  RESERVE_BYTES = 128 * 1024,
  FIRST_PAUSE_MS = 1000,
  LONGEST_PAUSE_MS = 60 * 1000,
};

static struct log journal = {.fd = -1};
static char boot[64];
static char *journal_path; /* NULL until a path is given */
static bool in_memory = true;
/* Only while the journal has a path but is in memory: the file that it left, and the next attempt to use the disk. */
static int stale_fd = -1;
static bool is_left_valid; /* the file at the path is an earlier keeper's and has the same content */
static void try_disk(void);
static struct timer next_try = {.expired = try_disk};
static uint64_t displaced_at;
static uint64_t pause_ms;
static uint64_t compact_from; /* after a failed compaction: the file size that triggers the next one */
static uint64_t number;
static uint64_t numbered_consumed;

static struct buffer record; /* the batch that is being built */
static struct buffer commands;
static uint32_t change_count;
static uint32_t command_count;
static size_t change_count_at;

static int copy_entry(struct log *log, struct buffer *buffer, uint32_t index) {
  const struct entry *entry = index_entry(index);
  log_begin_record(buffer, RECORD_ENTRY);
  buffer_bytes(buffer, span_of(entry->key, entry->key_length));
  buffer_u32(buffer, entry->length);
  index_move(index, log->size + buffer->length);
  buffer_reserve(buffer, entry->length);
  if (log_read(&journal, buffer->data + buffer->length, entry->length, entry->offset) < 0) return -1;
  buffer->length += entry->length;
  return log_append(log, buffer);
}

/* Writes all live data into an empty file, and notes the new offset of each value. */
static int write_all(struct log *fresh) {
  SCOPED_BUFFER buffer = {0};
  int result = log_write_header(fresh, boot);
  log_begin_record(&buffer, RECORD_NUMBERS);
  buffer_u64(&buffer, number);
  buffer_u64(&buffer, numbered_consumed);
  if (result == 0) result = log_append(fresh, &buffer);
  for (uint32_t i = 0; i < index_count() && result == 0; i++) result = copy_entry(fresh, &buffer, i);
  return result;
}

/* Switches to a file that write_all has written. The caller must close the returned previous descriptor. */
static int go_on_in(const struct log *fresh) {
  int before = journal.fd;
  index_use_moved();
  journal = *fresh;
  return before;
}

/* Copies all live data into a memory file. -1 with errno. */
static int copy_to_memory(const char *name, struct log *copy) {
  *copy = (struct log){.fd = memfd_create(name, MFD_CLOEXEC)};
  if (copy->fd < 0) return -1;
  return write_all(copy) == 0 ? 0 : descriptors_drop(copy->fd);
}

int journal_copy(void) {
  struct log copy;
  return copy_to_memory("crank-journal-copy", &copy) == 0 ? copy.fd : -1;
}

/* Goes on in a copy in memory. `before`: the previous descriptor, maybe -1. Returns 0, or -1 with errno. */
static int rewrite_in_memory(int *before) {
  struct log fresh;
  if (copy_to_memory("crank-journal", &fresh) < 0) return -1;
  *before = go_on_in(&fresh);
  in_memory = true;
  return 0;
}

/* Writes a new file, which gets its name only when it is complete, and switches to it. If that fails, nothing has changed. */
static int rewrite_on_disk(const char **step) {
  struct replacement replacement;
  if (files_begin_replacement(&replacement, journal_path, step) < 0) return -1;
  *step = "write";
  struct log fresh = {.fd = replacement.fd, .size = 0};
  if (write_all(&fresh) < 0 || files_finish_replacement(&replacement) < 0) {
    (void)descriptors_drop(replacement.fd);
    files_drop_replacement(&replacement);
    return -1;
  }
  log_reserve(&fresh, RESERVE_BYTES);
  (void)descriptors_drop(go_on_in(&fresh));
  (void)descriptors_drop(stale_fd);
  stale_fd = -1;
  in_memory = false;
  is_left_valid = false;
  timer_set(&next_try, 0);
  return 0;
}

/* The file on the disk is out of date, so a later crank must not use it. Either step is enough, and on a failing disk perhaps
 * only one of them works. */
static void invalidate(void) {
  bool is_marked = stale_fd >= 0 && log_mark_stale(stale_fd) == 0;
  bool is_gone = files_remove_own(journal_path);
  if (!is_marked && !is_gone) return;
  (void)descriptors_drop(stale_fd);
  stale_fd = -1;
}

static void try_disk_later(void) {
  timer_set(&next_try, clock_now() + pause_ms);
  pause_ms = pause_ms * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms * 2;
}

static bool is_displaced(void) {
  return in_memory && journal_path != NULL;
}

static void begin_displaced(int error) {
  displaced_at = clock_now();
  pause_ms = FIRST_PAUSE_MS;
  try_disk_later();
  post_event(journalFailed, 0, "write", (uint32_t)error);
}

/* The disk does not accept the journal: continues in memory and invalidates the file at the same time. */
static bool leave_disk(int error) {
  int before = -1;
  if (rewrite_in_memory(&before) < 0) return false;
  stale_fd = before;
  invalidate();
  begin_displaced(error);
  return true;
}

/* Runs before the journal first differs from the file that an earlier keeper left. Invalidating that file also frees its
 * space. */
static void leave_behind(void) {
  if (!is_left_valid) return;
  is_left_valid = false;
  invalidate();
  try_disk();
}

/* While the journal is in memory because the disk failed: retries the disk, and reports success by journalRestored. */
static void try_disk(void) {
  if (!is_displaced()) return;
  const char *step = "";
  if (rewrite_on_disk(&step) < 0) {
    /* An invalidation that failed before may work now. */
    if (!is_left_valid) invalidate();
    try_disk_later();
    return;
  }
  post_event(journalRestored, 0, clock_now() - displaced_at);
}

int journal_start(const char *boot_id) {
  (void)snprintf(boot, sizeof boot, "%s", boot_id);
  int before = -1;
  int result = rewrite_in_memory(&before);
  (void)descriptors_drop(before);
  return result;
}

/* An existing journal at the path stays valid until the new one is complete and replaces it. */
int journal_move(const char *path, const char **step) {
  char *before = journal_path;
  journal_path = memory_copy_text(path, strlen(path));
  if (rewrite_on_disk(step) == 0) {
    free(before);
    return 0;
  }
  memory_free_scoped(&journal_path);
  journal_path = before;
  return -1;
}

int journal_take(const char *path, const char **step) {
  if (journal_move(path, step) == 0) return 0;
  if (errno != ENOSPC && errno != EDQUOT) return -1;
  int error = errno;
  free(journal_path);
  journal_path = memory_copy_text(path, strlen(path));
  is_left_valid = true;
  begin_displaced(error);
  return 0;
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
  buffer_bytes(&record, key);
  buffer_bytes(&record, value);
  change_count++;
}

void journal_remove(struct span key) {
  buffer_u8(&record, CHANGE_REMOVE);
  buffer_bytes(&record, key);
  change_count++;
}

void journal_command(uint8_t code, uint64_t id) {
  buffer_u8(&commands, code);
  buffer_u64(&commands, id);
  command_count++;
}

/* Appends the record. If the disk does not accept it, switches to memory. */
static bool append_somewhere(struct buffer *buffer) {
  if (log_append(&journal, buffer) == 0) return true;
  int error = errno;
  return !in_memory && leave_disk(error) && log_append(&journal, buffer) == 0;
}

/* Updates the index from the record that was written at `offset`. */
static void index_record(uint64_t offset) {
  struct reader reader = reader_of(record.data, record.length);
  reader.at += change_count_at;
  uint32_t changes = read_u32(&reader);
  for (uint32_t i = 0; i < changes && !reader.failed; i++) {
    uint8_t change = read_u8(&reader);
    struct span key = read_bytes(&reader);
    if (change == CHANGE_PUT) {
      struct span value = read_bytes(&reader);
      index_set(key, offset + (uint64_t)(value.data - record.data), (uint32_t)value.length);
    } else {
      index_remove(key);
    }
  }
}

/* The file or its directory was removed, so the next keeper would not find it. */
static bool is_removed(void) {
  struct stat status;
  return !in_memory && fstat(journal.fd, &status) == 0 && status.st_nlink == 0;
}

bool journal_write(void) {
  leave_behind();
  if (is_removed()) (void)leave_disk(ENOENT);
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

/* If compaction fails, the journal continues in the old file and grows: writing matters more than size. */
static void compact(void) {
  if (in_memory) {
    int before = -1;
    if (rewrite_in_memory(&before) == 0) (void)descriptors_drop(before);
    return;
  }
  const char *step = "";
  if (rewrite_on_disk(&step) < 0) compact_from = journal.size * 2;
  else compact_from = 0;
}

void journal_mark_applied(void) {
  log_begin_record(&record, RECORD_APPLIED);
  buffer_u64(&record, number);
  (void)append_somewhere(&record); /* without the mark, the commands count as possibly done, which is safe */
  bool is_big = journal.size > COMPACT_BYTES && journal.size > COMPACT_TIMES * index_bytes();
  if (is_big && journal.size >= compact_from) compact();
  if (!in_memory) log_reserve(&journal, RESERVE_BYTES);
  if (is_displaced() && next_try.at <= clock_now()) try_disk();
}

uint32_t journal_entries(void) {
  return index_count();
}

bool journal_read_entry(uint32_t index, struct buffer *out) {
  if (index >= index_count()) return false;
  const struct entry *entry = index_entry(index);
  buffer_bytes(out, span_of(entry->key, entry->key_length));
  buffer_u32(out, entry->length);
  buffer_reserve(out, entry->length);
  if (log_read(&journal, out->data + out->length, entry->length, entry->offset) < 0) return false;
  out->length += entry->length;
  return true;
}

bool journal_keep(void) {
  try_disk();
  return !is_displaced();
}

void journal_delete(void) {
  if (journal_path) files_remove_own(journal_path);
}

void journal_save(struct buffer *out) {
  save_descriptor(out, journal.fd);
  buffer_u64(out, journal.size);
  buffer_text(out, journal_path ? journal_path : "");
  buffer_u8(out, in_memory ? 1 : 0);
  buffer_u64(out, number);
  buffer_u64(out, numbered_consumed);
  index_save(out);
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
  index_load(in);
  if (is_displaced()) {
    displaced_at = clock_now();
    pause_ms = FIRST_PAUSE_MS;
    try_disk_later();
  }
  return !in->failed;
}
