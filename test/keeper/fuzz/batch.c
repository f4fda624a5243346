/* Fuzzes the supervisor's input: the frame decoder and the batch applier, with the journal behind them. The channel is
 * a stub that gives the fuzzer's bytes in pieces; commands are read and not carried out. */
#include <stdbool.h>
#include <string.h>

#include "fuzz-input.h"
#include "journal/journal.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "supervisor/batch.h"
#include "supervisor/channel.h"

#define CODE(name, code, fields) code,
static const uint8_t kinds[] = {COMMANDS(CODE)};
#undef CODE
enum { KINDS = sizeof kinds / sizeof *kinds, MOST_FRAMES = 64, MOST_ENTRIES = 200 };

static struct buffer said; /* all bytes from the supervisor */
static size_t heard;       /* the bytes that were read */
static uint32_t piece = 1; /* bytes per read */
static struct buffer unused;

/* The channel ------------------------------------------------------------------------------------------------------- */

int channel_open(struct watcher *watcher) {
  return watcher ? -1 : 0;
}
bool channel_take(int fd, struct watcher *watcher) {
  return fd < 0 || watcher;
}
void channel_close(void) {}
bool channel_is_open(void) {
  return true;
}
struct buffer *channel_out(void) {
  return &unused;
}
bool channel_send(void) {
  return true;
}
enum channel_result channel_read(struct buffer *in) {
  size_t left = said.length - heard;
  if (left == 0) return CHANNEL_EMPTY;
  size_t taken = left < piece ? left : piece;
  buffer_add(in, said.data + heard, taken);
  heard += taken;
  return CHANNEL_MORE;
}

/* The commands ------------------------------------------------------------------------------------------------------ */

static void read_field(struct reader *fields, const char *type) {
  if (strncmp(type, "u8", 2) == 0) (void)read_u8(fields);
  else if (strncmp(type, "u32", 3) == 0) (void)read_u32(fields);
  else if (strncmp(type, "i32", 3) == 0) (void)read_i32(fields);
  else if (strncmp(type, "u64", 3) == 0) (void)read_u64(fields);
  else if (strncmp(type, "texts", 5) == 0) (void)read_texts(fields);
  else if (strncmp(type, "text", 4) == 0) free(span_text(read_bytes(fields)));
  else if (strncmp(type, "bytes", 5) == 0) (void)read_bytes(fields);
  else if (strncmp(type, "pairs", 5) == 0) (void)read_pairs(fields);
  else if (strncmp(type, "numbers", 7) == 0) {
    struct list list = read_numbers(fields);
    for (uint32_t i = 0; i < list.count; i++) (void)list_number(&list, i);
  } else MUST(!"a known type");
}

/* The command has been checked: all fields are present, and no bytes are left over. */
static void run(uint8_t code, struct reader *fields) {
  struct reader again = *fields;
  const struct frame *frame = frames_find(code);
  MUST(frame);
  for (const char *at = strchr(frame->signature, ':'); at; at = strchr(at + 1, ':')) read_field(fields, at + 1);
  MUST(!fields->failed && fields->at == fields->end);
  if (code == COMMAND_spawn) {
    (void)read_spawn(&again);
    MUST(!again.failed);
  }
}
static void end(uint64_t tick_at) {
  (void)tick_at;
}

/* The supervisor's input: any bytes, or frames that are almost valid ------------------------------------------------ */

static void add_text(struct input *input) {
  char text[256];
  uint8_t length = take_u8(input);
  for (uint8_t i = 0; i < length; i++) text[i] = (char)take_u8(input);
  buffer_bytes(&said, span_of(text, length));
}

static void add_field(struct input *input, const char *type) {
  if (strncmp(type, "u8", 2) == 0) buffer_u8(&said, take_u8(input));
  else if (strncmp(type, "u32", 3) == 0 || strncmp(type, "i32", 3) == 0) buffer_u32(&said, take_u32(input));
  else if (strncmp(type, "u64", 3) == 0) buffer_u64(&said, take_u8(input) % 8);
  else if (strncmp(type, "texts", 5) == 0 || strncmp(type, "pairs", 5) == 0) {
    uint32_t count = take_u8(input) % 5;
    buffer_u32(&said, count);
    for (uint32_t i = 0; i < (type[0] == 'p' ? 2 * count : count); i++) add_text(input);
  } else if (strncmp(type, "numbers", 7) == 0) {
    uint32_t count = take_u8(input) % 9;
    buffer_u32(&said, count);
    for (uint32_t i = 0; i < count; i++) buffer_u64(&said, take_u32(input));
  } else add_text(input);
}

static void add_frame(struct input *input) {
  const struct frame *kind = frames_find(kinds[take_u8(input) % KINDS]);
  size_t start = said.length;
  buffer_u32(&said, 0);
  buffer_u8(&said, kind->code);
  for (const char *at = strchr(kind->signature, ':'); at; at = strchr(at + 1, ':')) add_field(input, at + 1);
  buffer_set_u32(&said, start, (uint32_t)(said.length - start - 4));
  uint8_t damage = take_u8(input);
  if (damage > 240) said.data[start + damage % (said.length - start)] ^= (uint8_t)(1 << (damage % 8));
}

/* --------------------------------------------------------------------------------------------------------------------- */

static void give_events(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    (void)events_begin(MESSAGE_tick);
    events_post(0);
  }
  while (events_deliver(&unused)) unused.length = 0;
}

/* Every entry can be read; the journal does not grow from one input to the next. */
static void check_journal(void) {
  struct buffer entry = {0};
  bool too_many = journal_entries() > MOST_ENTRIES;
  if (too_many) journal_begin(events_consumed());
  for (uint32_t i = 0; i < journal_entries(); i++) {
    entry.length = 0;
    MUST(journal_read_entry(i, &entry));
    struct reader reader = reader_of(entry.data, entry.length);
    struct span key = read_bytes(&reader);
    (void)read_bytes(&reader);
    MUST(!reader.failed && reader.at == reader.end && key.length > 0 && key.length <= LIMIT_KEY_BYTES);
    if (too_many) journal_remove(key);
  }
  if (too_many) MUST(journal_write());
  if (too_many) MUST(journal_entries() == 0);
  buffer_free(&entry);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  static const struct batch_handler handler = {.run = run, .end = end};
  batch_is_for(&handler);
  MUST(journal_start("fuzz") == 0);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  bool attached = take_u8(&input) % 8 > 0;
  bool any_bytes = take_u8(&input) % 4 == 0;
  piece = 1 + take_u8(&input) * take_u8(&input);
  heard = said.length = 0;
  if (any_bytes) buffer_add(&said, input.at, input.left);
  else
    for (int i = 0; i < MOST_FRAMES && input.left > 0; i++) add_frame(&input);
  give_events(3);
  for (;;) {
    struct said_what what = batch_next(attached);
    if (what.said == SAID_ATTACH) attached = true;
    if (what.said == SAID_NOTHING) break;
    if (what.said == SAID_NONSENSE || what.said == SAID_GOODBYE) break;
  }
  batch_forget();
  MUST(events_consume(events_delivered()));
  check_journal();
  return 0;
}
