#include "supervisor/batch.h"

#include "journal/journal.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "protocol/wire.h"
#include "supervisor/channel.h"

static const struct batch_handler *handler;
static struct buffer in;
static size_t scanned; /* length of the complete, checked frames of the current batch in `in` */
static char complaint[160];

void batch_is_for(const struct batch_handler *whose) {
  handler = whose;
}

const char *batch_complaint(void) {
  return complaint;
}

void batch_forget(void) {
  buffer_free(&in);
  scanned = 0;
}

bool batch_is_begun(void) {
  return in.length > 0;
}

static struct said_what nonsense(const char *what, const char *of) {
  (void)snprintf(complaint, sizeof complaint, "%s%s%s", what, of[0] != '\0' ? " " : "", of);
  return (struct said_what){.said = SAID_NONSENSE};
}

/* The length of the frame at `at`, with its length field; 0 if it is not complete yet. */
static size_t whole_frame(size_t at) {
  if (in.length - at < 4) return 0;
  struct reader reader = reader_of(in.data + at, 4);
  size_t length = 4 + (size_t)read_u32(&reader);
  return in.length - at < length ? 0 : length;
}

static bool has_sane_length(size_t at) {
  if (in.length - at < 4) return true;
  struct reader reader = reader_of(in.data + at, 4);
  uint32_t length = read_u32(&reader);
  return length >= 1 && length <= LIMIT_FRAME_BYTES;
}

static struct reader fields_of(size_t at, size_t length) {
  return reader_of(in.data + at + 5, length - 5);
}

static bool has_sane_key(struct reader fields) {
  struct span key = read_bytes(&fields);
  return key.length > 0 && key.length <= LIMIT_KEY_BYTES;
}

/* The id that a command concerns: its first field, if that is a u64. */
static uint64_t id_of(const struct frame *frame, struct reader fields) {
  const char *type = strchr(frame->signature, ':');
  return type && strncmp(type, ":u64", 4) == 0 ? read_u64(&fields) : 0;
}

static void journal_frame(uint8_t code, struct reader fields) {
  if (code == COMMAND_put) {
    struct span key = read_bytes(&fields);
    journal_put(key, read_bytes(&fields));
  } else if (code == COMMAND_remove) {
    journal_remove(read_bytes(&fields));
  } else {
    journal_command(code, id_of(frames_find(code), fields));
  }
}

static void apply_frame(uint8_t code, struct reader fields) {
  if (code != COMMAND_put && code != COMMAND_remove) handler->run(code, &fields);
}

/* Calls `take` for each frame of the batch. Returns their number. */
static uint32_t each_frame(void (*take)(uint8_t code, struct reader fields)) {
  uint32_t count = 0;
  for (size_t at = 0; at < scanned; count++) {
    size_t length = whole_frame(at);
    if (take) take(in.data[at + 4], fields_of(at, length));
    at += length;
  }
  return count;
}

/* Journal, commands, mark: without the mark in the journal, it is unknown whether the commands were carried out. */
static struct said_what apply(struct reader fields) {
  struct command_commit commit = read_commit(&fields);
  if (commit.consumed > events_delivered()) return nonsense("a commit of an event that was not delivered", "");
  if (scanned > 0) {
    journal_begin(commit.consumed);
    (void)each_frame(journal_frame);
    if (!journal_write()) return nonsense("the journal could not be written, not even in memory", "");
    (void)each_frame(apply_frame);
  }
  (void)events_consume(commit.consumed);
  if (scanned > 0) journal_mark_applied();
  handler->end(commit.tick_at);
  return (struct said_what){.said = SAID_COMMIT};
}

static struct said_what take_frame(size_t length, bool attached) {
  uint8_t code = in.data[scanned + 4];
  struct reader fields = fields_of(scanned, length);
  const struct frame *kind = frames_find(code);
  if (!kind) return nonsense("an unknown command", "");
  if (!wire_matches(kind->signature, fields.at, (size_t)(fields.end - fields.at))) return nonsense("a malformed", kind->name);
  if (code == COMMAND_present || code == COMMAND_base) return nonsense("a message that only a candidate may send:", kind->name);
  bool stands_alone = code == COMMAND_attach || code == COMMAND_idle;
  if (stands_alone && scanned > 0) return nonsense("in the middle of a batch", kind->name);
  if ((code == COMMAND_attach) == attached) return nonsense("at the wrong time", kind->name);
  bool has_key = code == COMMAND_put || code == COMMAND_remove;
  if (has_key && !has_sane_key(fields)) return nonsense("a key that is empty or too long in", kind->name);
  if (!stands_alone && code != COMMAND_commit) {
    scanned += length;
    if (scanned > LIMIT_BATCH_BYTES) return nonsense("a batch that is too big", "");
    return (struct said_what){.said = SAID_NOTHING};
  }
  struct said_what what = {.said = SAID_ATTACH};
  if (code == COMMAND_commit) what = apply(fields);
  else if (code == COMMAND_attach) what.number = read_u32(&fields);
  else what = (struct said_what){.said = SAID_IDLE, .number = read_u64(&fields)};
  buffer_drop(&in, scanned + length);
  scanned = 0;
  return what;
}

struct said_what batch_next(bool attached) {
  enum channel_result result = CHANNEL_MORE;
  for (;;) {
    while (in.length > scanned) {
      if (!has_sane_length(scanned)) return nonsense("a frame of invalid length", "");
      size_t length = whole_frame(scanned);
      if (length == 0) break;
      struct said_what what = take_frame(length, attached);
      if (what.said != SAID_NOTHING) return what;
    }
    if (result == CHANNEL_EMPTY) break;
    result = channel_read(&in);
    if (result == CHANNEL_GONE) return (struct said_what){.said = SAID_GOODBYE};
  }
  if (in.length == 0) buffer_free(&in);
  return (struct said_what){.said = SAID_NOTHING};
}
