/* Fuzzes a control client's input: bytes in any pieces become lines, none lost, changed or too long. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/memory.h"
#include "connections/connection.h"
#include "fuzz-input.h"
#include "protocol/events.h"
#include "protocol/protocol.h"

enum { FRAME_HEADER = 4 + 1 + 24, LINE_HEADER = 8 + 8 + 4 + 4 + 4, MOST_PIECES = 200, LONG_PIECE = 60000 };

static struct buffer sent;      /* all bytes that the client sent */
static struct buffer delivered; /* all lines, each with its newline */
static struct connection *connection;

static void take_lines(void) {
  struct buffer event = {0};
  while (events_deliver(&event)) {
    struct reader reader = reader_of(event.data + FRAME_HEADER + LINE_HEADER, event.length - FRAME_HEADER - LINE_HEADER);
    MUST(event.data[4] == MESSAGE_line);
    struct span line = read_bytes(&reader);
    MUST(!reader.failed && reader.at == reader.end && line.length <= LIMIT_LINE_BYTES);
    MUST(memchr(line.data, '\n', line.length) == NULL);
    buffer_add(&delivered, line.data, line.length);
    buffer_u8(&delivered, '\n');
    event.length = 0;
  }
  buffer_free(&event);
  MUST(events_consume(events_delivered()));
}

static void line_consumed(const struct gone *gone) {
  connection->queued--;
  connection->queued_bytes -= gone->size;
}

/* Reads until no more can be read. */
static enum outcome read_all(void) {
  for (;;) {
    size_t before = delivered.length + connection->in.length;
    enum outcome outcome = connection_read(connection);
    take_lines();
    while (outcome == GOES_ON && connection->paused) {
      outcome = connection_deliver(connection);
      take_lines();
    }
    if (outcome != GOES_ON || delivered.length + connection->in.length == before) return outcome;
  }
}

static void say(int end, const uint8_t *bytes, size_t length) {
  if (length == 0) return;
  MUST(send(end, bytes, length, MSG_DONTWAIT) == (ssize_t)length);
  buffer_add(&sent, bytes, length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  events_on_gone(line_consumed);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t filler[LONG_PIECE];
  struct input input = {data, size};
  int ends[2];
  memset(filler, 'a', sizeof filler);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  connection = memory_take_zeroed(sizeof *connection);
  *connection = (struct connection){.id = 1, .listener = 2, .fd = ends[0], .is_unix = true};
  sent.length = delivered.length = 0;
  enum outcome outcome = GOES_ON;
  for (int i = 0; i < MOST_PIECES && input.left > 0 && outcome == GOES_ON; i++) {
    uint8_t length = take_u8(&input);
    if (length == 255) {
      say(ends[1], filler, sizeof filler);
    } else {
      size_t taken = length < input.left ? length : input.left;
      say(ends[1], input.at, taken);
      input.at += taken;
      input.left -= taken;
    }
    outcome = read_all();
  }
  MUST(outcome == GOES_ON || outcome == TOO_LONG);
  MUST(delivered.length <= sent.length && (delivered.length == 0 || memcmp(delivered.data, sent.data, delivered.length) == 0));
  if (outcome == GOES_ON) {
    MUST(delivered.length + connection->in.length == sent.length);
    MUST(connection->in.length <= LIMIT_LINE_BYTES);
  }
  connection_free(connection);
  (void)close(ends[1]);
  buffer_free(&sent);
  buffer_free(&delivered);
  return 0;
}
