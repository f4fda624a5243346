/* Fuzzes the journal: after any changes in any batches, moves and compactions, it holds what was put in. */
#include <string.h>
#include <unistd.h>

#include "fuzz-input.h"
#include "journal/journal.h"
#include "protocol/events.h"

enum { KEYS = 12, MOST_VALUE = 40 * 1024, MOST_STEPS = 300 };

struct shadow {
  bool is_there;
  uint32_t length;
  uint8_t fill;
};
static struct shadow shadows[KEYS];
static struct buffer value;
static char directory[] = "/tmp/crank-fuzz-XXXXXX";
static uint32_t files;

static struct span key_of(uint8_t key, char name[16]) {
  (void)snprintf(name, 16, "key/%u", key);
  return (struct span){.data = (const uint8_t *)name, .length = strlen(name)};
}

static void put(struct input *input, uint8_t key) {
  char name[16];
  uint32_t length = take_u8(input) % 8 == 0 ? take_u32(input) % MOST_VALUE : take_u8(input);
  uint8_t fill = take_u8(input);
  value.length = 0;
  buffer_reserve(&value, length + 1);
  memset(value.data, fill, length);
  journal_put(key_of(key, name), (struct span){.data = value.data, .length = length});
  shadows[key] = (struct shadow){.is_there = true, .length = length, .fill = fill};
}

static void change(struct input *input) {
  char name[16];
  uint8_t key = take_u8(input) % KEYS;
  if (take_u8(input) % 4 > 0) {
    put(input, key);
    return;
  }
  journal_remove(key_of(key, name));
  shadows[key].is_there = false;
}

static void move(void) {
  char path[64];
  const char *step = "";
  (void)snprintf(path, sizeof path, "%s/%u", directory, files++ % 4);
  /* Whether it replaces another journal, its own, or none. */
  MUST(journal_move(path, &step) == 0);
}

static void check_entry(const uint8_t *bytes, size_t length) {
  struct reader reader = reader_of(bytes, length);
  struct span key = read_bytes(&reader);
  struct span held = read_bytes(&reader);
  unsigned number = KEYS;
  char *name = span_text(key);
  MUST(!reader.failed && reader.at == reader.end && sscanf(name, "key/%u", &number) == 1 && number < KEYS);
  free(name);
  MUST(shadows[number].is_there && held.length == shadows[number].length);
  for (size_t i = 0; i < held.length; i++) MUST(held.data[i] == shadows[number].fill);
}

static void check(void) {
  struct buffer entry = {0};
  uint32_t there = 0;
  for (int key = 0; key < KEYS; key++) there += shadows[key].is_there ? 1 : 0;
  MUST(journal_entries() == there);
  for (uint32_t i = 0; i < there; i++) {
    entry.length = 0;
    MUST(journal_read_entry(i, &entry));
    check_entry(entry.data, entry.length);
  }
  buffer_free(&entry);
}

/* Saving for the keeper's next image changes nothing. */
static void check_saving(void) {
  struct buffer state = {0};
  journal_save(&state);
  struct buffer again = {0};
  journal_save(&again);
  MUST(again.length == state.length && memcmp(again.data, state.data, state.length) == 0);
  buffer_free(&state);
  buffer_free(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  MUST(mkdtemp(directory));
  MUST(journal_start("fuzz") == 0);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  for (int i = 0; i < MOST_STEPS && input.left > 0; i++) {
    uint8_t what = take_u8(&input);
    if (what == 255) move();
    if (what == 254) check_saving();
    journal_begin(i);
    for (uint8_t changes = what % 5; changes > 0; changes--) change(&input);
    for (uint8_t commands = what % 3; commands > 0; commands--) journal_command(40, commands);
    MUST(journal_write());
    if (what % 7 > 0) journal_mark_applied();
    check();
  }
  return 0;
}

/* Called at exit, in libFuzzer's atexit order. */
__attribute__((destructor)) static void clean_up(void) {
  char path[64];
  for (uint32_t i = 0; i < 4; i++) {
    (void)snprintf(path, sizeof path, "%s/%u", directory, i);
    (void)unlink(path);
  }
  (void)rmdir(directory);
}
