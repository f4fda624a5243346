// Saves and loads the table for the re-exec of the keeper. Declared in thread.h.

#include "app/memory.h"
#include "output/thread.h"

/* Raise it when fields are added, at the end only: older versions must stay readable. */
enum { STATE_VERSION = 2 };

static void save_fd(struct buffer *out, int fd) {
  buffer_u32(out, fd < 0 ? UINT32_MAX : (uint32_t)fd);
}

static int load_fd(struct reader *in) {
  uint32_t fd = read_u32(in);
  return fd > INT32_MAX ? -1 : (int)fd;
}

static void save_source(const struct output *output, const struct source *source, struct buffer *out) {
  buffer_u64(out, source->worker);
  buffer_u32(out, source->pid);
  save_fd(out, source->fd);
  buffer_text(out, source->prefix);
  buffer_text(out, source->json);
  buffer_u8(out, source->is_kept);
  buffer_u8(out, (uint8_t)source->drain);
  // An unfinished long line continues in the sink.
  buffer_u8(out, output->out.open == &source->mark);
  buffer_bytes(out, span_of(source->half, source->half_length));
  char tail[TAIL_SIZE];
  buffer_bytes(out, span_of(tail, tail_read(&source->tail, tail, sizeof tail)));
}

static void load_source(struct output *output, struct reader *in) {
  uint64_t worker = read_u64(in);
  uint32_t pid = read_u32(in);
  int fd = load_fd(in);
  struct span prefix = read_bytes(in), json = read_bytes(in);
  bool is_kept = read_u8(in) != 0;
  uint8_t drain = read_u8(in);
  bool is_open = read_u8(in) != 0;
  struct span half = read_bytes(in), tail = read_bytes(in);
  if (in->failed || half.length > LINE_LIMIT) {
    in->failed = true;
    return;
  }
  char *prefix_text = span_text(prefix), *json_text = span_text(json);
  struct source *source = table_add(output, worker, pid, fd, prefix_text, json_text, is_kept);
  free(prefix_text);
  free(json_text);
  in->failed = !source;
  if (!source) return;
  source->drain = drain <= DRAIN_TOLD ? (enum drain)drain : DRAIN_NONE;
  if (source->drain == DRAIN_DONE) output->drained++;
  if (source->drain == DRAIN_ASKED) table_wish(output, source);
  if (is_open) output->out.open = &source->mark;
  if (half.length > 0) source->half = memcpy(memory_take(half.length), half.data, half.length);
  source->half_length = source->half_capacity = half.length;
  tail_add(&source->tail, (const char *)tail.data, tail.length);
}

static uint32_t count_sources(const struct output *output) {
  uint32_t count = 0;
  for (const struct source *source = output->sources; source; source = source->next) count++;
  return count;
}

static void save_ring(const struct ring *ring, struct buffer *out) {
  struct entry entry;
  const char *bytes;
  uint32_t count = 0;
  for (size_t at = 0; ring_read(ring, &at, &entry, &bytes);) count++;
  buffer_u32(out, count);
  for (size_t at = 0; ring_read(ring, &at, &entry, &bytes);) {
    buffer_u64(out, entry.worker);
    buffer_u64(out, entry.at);
    buffer_u32(out, entry.pid);
    buffer_bytes(out, span_of(bytes, entry.length));
  }
}

static void load_ring(struct ring *ring, struct reader *in) {
  uint32_t count = read_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    uint64_t worker = read_u64(in), at = read_u64(in);
    struct entry entry = {.worker = worker, .at = at, .pid = read_u32(in)};
    struct span bytes = read_bytes(in);
    entry.length = (uint32_t)bytes.length;
    if (bytes.length == 0 || bytes.length > ENTRY_LIMIT) in->failed = true;
    else (void)ring_put(ring, &entry, (const char *)bytes.data);
  }
}

static void save_followers(const struct output *output, struct buffer *out) {
  uint32_t count = 0;
  for (struct follower *follower = output->followers.first; follower; follower = follower->next) count++;
  buffer_u32(out, count);
  for (struct follower *follower = output->followers.first; follower; follower = follower->next) {
    buffer_u64(out, follower->id);
    buffer_u64(out, follower->worker);
    buffer_u8(out, follower->follows);
    buffer_u64(out, follower->lost);
    buffer_u32(out, (uint32_t)follower->taken);
    save_ring(&follower->waiting, out);
  }
}

static void load_followers(struct output *output, struct reader *in) {
  uint32_t count = read_u32(in);
  for (uint32_t i = 0; i < count && !in->failed; i++) {
    uint64_t id = read_u64(in), worker = read_u64(in);
    bool follows = read_u8(in) != 0;
    uint64_t lost = read_u64(in);
    uint32_t taken = read_u32(in);
    struct follower *follower = followers_add(&output->followers, id, worker, follows);
    follower->lost = lost;
    load_ring(&follower->waiting, in);
    struct entry first;
    const char *bytes;
    size_t at = 0;
    if (ring_read(&follower->waiting, &at, &first, &bytes) && taken < first.length) follower->taken = taken;
    follower_set_ready(&output->followers, follower);
  }
}

static void save_sink(const struct sink *sink, struct buffer *out) {
  buffer_u8(out, sink->is_torn);
  buffer_u8(out, sink->is_midline);
  buffer_u64(out, sink->lost);
  buffer_bytes(out, span_of(sink->pages ? sink->pages + sink->start : NULL, sink_waiting(sink)));
}

static void load_sink(struct sink *sink, struct reader *in) {
  sink->is_torn = read_u8(in) != 0;
  sink->is_midline = read_u8(in) != 0;
  sink->lost = read_u64(in);
  struct span waiting = read_bytes(in);
  // The queued bytes continue where the previous image stopped, so they need no newline before them.
  bool is_torn = sink->is_torn;
  sink->is_torn = false;
  char *room = waiting.length > 0 && waiting.length < SINK_CAPACITY ? sink_room(sink, waiting.length) : NULL;
  if (room) memcpy(room, waiting.data, waiting.length);
  if (room) sink_put(sink, waiting.length);
  sink->is_torn = is_torn;
}

/* Bits of a route's first byte. */
enum { ROUTE_JSON = 1, ROUTE_STDERR = 2 };

void table_save(const struct output *output, struct buffer *out) {
  buffer_u32(out, STATE_VERSION);
  uint8_t sink = output->route.sink == &output->err ? ROUTE_STDERR : 0;
  buffer_u8(out, (uint8_t)(sink | (output->route.format == FORMAT_JSON ? ROUTE_JSON : 0)));
  save_fd(out, output->route.sink->kind == SINK_DATAGRAMS ? output->route.sink->fd : -1);
  buffer_bytes(out, span_of(&output->datagrams.address, output->datagrams.address_length));
  buffer_text(out, output->header);
  save_sink(&output->out, out);
  save_sink(&output->err, out);
  for (int i = 0; i < LOG_SINKS; i++) {
    buffer_u64(out, output->logs[i].lost);
    buffer_bytes(out, span_of(output->logs[i].bytes.data, output->logs[i].bytes.length));
  }
  buffer_u32(out, count_sources(output));
  for (const struct source *source = output->sources; source; source = source->next) save_source(output, source, out);
  save_ring(&output->kept, out);
  save_followers(output, out);
}

/* Version 1 had a connected descriptor and no address. */
static void load_address(struct wanted_route *wanted, uint32_t version, struct reader *in) {
  if (version < 2) return;
  struct span address = read_bytes(in);
  if (address.length > sizeof wanted->address) in->failed = true;
  if (in->failed) return;
  memcpy(&wanted->address, address.data, address.length);
  wanted->address_length = (socklen_t)address.length;
}

static void load_route(struct output *output, uint32_t version, struct reader *in) {
  struct wanted_route *wanted = memory_take_zeroed(sizeof *wanted);
  uint8_t how = read_u8(in);
  wanted->format = (how & ROUTE_JSON) != 0 ? FORMAT_JSON : FORMAT_TEXT;
  wanted->to_stderr = (how & ROUTE_STDERR) != 0;
  wanted->datagram_fd = load_fd(in);
  load_address(wanted, version, in);
  wanted->header = span_text(read_bytes(in));
  if (!in->failed && strlen(wanted->header) <= TEMPLATE_LIMIT) {
    thread_set_route(output, wanted);
    return;
  }
  in->failed = true;
  free(wanted->header);
  free(wanted);
}

bool table_load(struct output *output, struct reader *in) {
  uint32_t version = read_u32(in);
  if (version > STATE_VERSION) return false;
  load_route(output, version, in);
  load_sink(&output->out, in);
  load_sink(&output->err, in);
  for (int i = 0; i < LOG_SINKS; i++) {
    output->logs[i].lost = read_u64(in);
    struct span bytes = read_bytes(in);
    buffer_add(&output->logs[i].bytes, bytes.data, bytes.length);
  }
  uint32_t sources = read_u32(in);
  for (uint32_t i = 0; i < sources && !in->failed; i++) load_source(output, in);
  load_ring(&output->kept, in);
  load_followers(output, in);
  if (output->drained > 0 || output->followers.ready > 0) table_signal(output);
  return !in->failed;
}
