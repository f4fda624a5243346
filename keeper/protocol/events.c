#include "protocol/events.h"

#include "app/admission.h"
#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "protocol/protocol.h"

enum {
  DELIVERED_AT = 4 + 1 + 8 + 8, /* offset of deliveredAt in a frame */
  HEADER = DELIVERED_AT + 8,
  REPORTED_BYTES = 256,
};

/* Bit in an event's source: the event is a stranger's line. */
#define STRANGERS (1ULL << 63)

struct event {
  struct event *next;
  uint64_t seq;
  uint64_t happened_at;
  uint64_t source;
  uint32_t size;
  uint32_t fd_count;
  uint8_t code;
  uint8_t blamed;
  int *fds;
  uint8_t frame[];
};

static struct event *first;
static struct event *last;
static struct event *next_out;
static struct buffer draft;
static uint64_t draft_at;
static uint64_t earlier_at; /* of the next event; 0: now */
static uint64_t last_seq;
static uint64_t last_consumed;
static uint64_t last_delivered;
static uint32_t total_count;
static uint32_t counts[256];
static uint32_t line_counts[2];
static uint64_t line_bytes[2];
static void (*on_gone)(const struct gone *gone);

void events_on_gone(void (*handler)(const struct gone *gone)) {
  on_gone = handler;
}

struct buffer *events_begin(uint8_t code) {
  draft.length = 0;
  draft_at = earlier_at != 0 ? earlier_at : clock_now();
  earlier_at = 0;
  buffer_u32(&draft, 0);
  buffer_u8(&draft, code);
  for (int i = 0; i < 3; i++) buffer_u64(&draft, 0);
  return &draft;
}

void events_happened_at(uint64_t at) {
  earlier_at = at;
}

static void count_in(const struct event *event) {
  total_count++;
  counts[event->code]++;
  if (event->code != MESSAGE_line) return;
  bool is_strangers = (event->source & STRANGERS) != 0;
  line_counts[is_strangers]++;
  line_bytes[is_strangers] += event->size;
}

static void count_out(const struct event *event) {
  total_count--;
  counts[event->code]--;
  if (event->code != MESSAGE_line) return;
  bool is_strangers = (event->source & STRANGERS) != 0;
  line_counts[is_strangers]--;
  line_bytes[is_strangers] -= event->size;
}

static void append(struct event *event) {
  event->next = NULL;
  if (last) last->next = event;
  else first = event;
  last = event;
  if (!next_out) next_out = event;
  count_in(event);
}

static struct event *make_event(uint64_t happened_at, uint64_t source) {
  struct event *event = memory_take(sizeof *event + draft.length);
  *event = (struct event){.seq = ++last_seq, .source = source, .size = (uint32_t)draft.length, .code = draft.data[4]};
  event->happened_at = happened_at;
  buffer_set_u32(&draft, 0, (uint32_t)draft.length - 4);
  buffer_set_u64(&draft, 5, event->seq);
  buffer_set_u64(&draft, 13, happened_at);
  memcpy(event->frame, draft.data, draft.length);
  if (draft.capacity > 4096) buffer_free(&draft);
  return event;
}

void events_post_with(uint64_t source, const int *fds, uint32_t count) {
  struct event *event = make_event(draft_at, source);
  if (count > 0) {
    event->fds = memory_take(count * sizeof *fds);
    memcpy(event->fds, fds, count * sizeof *fds);
    event->fd_count = count;
  }
  append(event);
}

void events_post(uint64_t source) {
  events_post_with(source, NULL, 0);
}

void events_post_line(uint64_t connection, bool is_stranger) {
  events_post(is_stranger ? connection | STRANGERS : connection);
}

void events_failed(uint8_t command, uint64_t id, const char *step, int error) {
  struct buffer *event = events_begin(MESSAGE_failed);
  buffer_u32(event, command);
  buffer_u64(event, id);
  buffer_text(event, step);
  buffer_u32(event, (uint32_t)error);
  events_post(0);
}

uint32_t events_outstanding(void) {
  return total_count;
}

uint32_t events_count(uint8_t code) {
  return counts[code];
}

uint32_t events_lines(bool of_strangers) {
  return line_counts[of_strangers];
}

uint64_t events_line_bytes(bool of_strangers) {
  return line_bytes[of_strangers];
}

uint64_t events_last(void) {
  return last_seq;
}

uint64_t events_consumed(void) {
  return last_consumed;
}

uint64_t events_oldest(void) {
  return first ? first->happened_at : 0;
}

void events_rewind(void) {
  next_out = first;
  last_delivered = last_consumed;
}

uint64_t events_delivered(void) {
  return last_delivered;
}

bool events_deliver(struct buffer *out) {
  struct event *event = next_out;
  if (!event) return false;
  size_t at = out->length;
  buffer_add(out, event->frame, event->size);
  buffer_set_u64(out, at + DELIVERED_AT, clock_now());
  last_delivered = event->seq;
  next_out = event->next;
  return true;
}

static void discard_first(void) {
  struct event *event = first;
  first = event->next;
  if (!first) last = NULL;
  if (next_out == event) next_out = first;
  count_out(event);
  for (uint32_t i = 0; i < event->fd_count; i++) {
    if (event->fds[i] >= 0) admission_close(event->fds[i]);
  }
  free(event->fds);
  struct gone gone = {.code = event->code, .source = event->source & ~STRANGERS, .size = event->size};
  gone.descriptors = event->fd_count;
  free(event);
  if (on_gone) on_gone(&gone);
}

bool events_consume(uint64_t seq) {
  if (seq > last_delivered) return false;
  while (first && first->seq <= seq) discard_first();
  if (seq > last_consumed) last_consumed = seq;
  return true;
}

int events_take_descriptor(uint64_t seq, uint32_t index) {
  struct event *event = first;
  while (event && event->seq != seq) event = event->next;
  if (!event || index >= event->fd_count || event->fds[index] < 0) {
    errno = EBADF;
    return -1;
  }
  int fd = event->fds[index];
  event->fds[index] = -1;
  return fd;
}

uint8_t events_blame_first(void) {
  if (!first || first->seq > last_delivered) return 0;
  if (first->blamed < UINT8_MAX) first->blamed++;
  return first->blamed;
}

bool events_set_first_aside(void) {
  if (!first || (first->code != MESSAGE_line && first->code != MESSAGE_datagram)) return false;
  struct buffer *event = events_begin(MESSAGE_quarantined);
  size_t length = first->size - HEADER;
  buffer_u32(event, first->code);
  buffer_bytes(event, span_of(first->frame + HEADER, length < REPORTED_BYTES ? length : REPORTED_BYTES));
  /* The report gets the sequence number of the event that it replaces, so that no number is missing. */
  struct event *report = make_event(first->happened_at, 0);
  last_seq--;
  report->seq = first->seq;
  memcpy(report->frame + 5, first->frame + 5, 8);
  discard_first();
  report->next = first;
  first = report;
  if (!last) last = report;
  next_out = first;
  count_in(report);
  return true;
}

void events_save(struct buffer *out) {
  buffer_u64(out, last_seq);
  buffer_u64(out, last_consumed);
  buffer_u32(out, total_count);
  for (struct event *event = first; event; event = event->next) {
    buffer_u64(out, event->seq);
    buffer_u64(out, event->happened_at);
    buffer_u64(out, event->source);
    buffer_u8(out, event->blamed);
    buffer_u32(out, event->fd_count);
    for (uint32_t i = 0; i < event->fd_count; i++) save_descriptor(out, event->fds[i]);
    buffer_bytes(out, span_of(event->frame, event->size));
  }
}

bool events_load(struct reader *in) {
  last_seq = read_u64(in);
  last_consumed = last_delivered = read_u64(in);
  uint32_t count = read_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    uint64_t seq = read_u64(in);
    uint64_t happened_at = read_u64(in);
    uint64_t source = read_u64(in);
    uint8_t blamed = read_u8(in);
    uint32_t fd_count = read_u32(in);
    if (fd_count > 1024) return false;
    int *fds = fd_count > 0 ? memory_take(fd_count * sizeof *fds) : NULL;
    for (uint32_t j = 0; j < fd_count; j++) fds[j] = load_descriptor(in);
    struct span frame = read_bytes(in);
    if (in->failed || frame.length < HEADER) {
      free(fds);
      return false;
    }
    struct event *event = memory_take(sizeof *event + frame.length);
    *event = (struct event){.seq = seq, .happened_at = happened_at, .source = source, .blamed = blamed};
    event->size = (uint32_t)frame.length;
    event->code = frame.data[4];
    event->fds = fds;
    event->fd_count = fd_count;
    memcpy(event->frame, frame.data, frame.length);
    append(event);
  }
  return !in->failed;
}
