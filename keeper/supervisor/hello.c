#include "supervisor/hello.h"

#include "app/clock.h"
#include "app/facts.h"
#include "connections/streams.h"
#include "journal/journal.h"
#include "protocol/events.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"
#include "supervisor/zone.h"
#include "worker/workers.h"

static size_t begin(struct buffer *out, uint8_t code) {
  size_t at = out->length;
  buffer_u32(out, 0);
  buffer_u8(out, code);
  return at;
}

static void finish(struct buffer *out, size_t at) {
  buffer_set_u32(out, at, (uint32_t)(out->length - at - 4));
}

static void write_facts(struct buffer *out, uint32_t crashes) {
  size_t at = begin(out, MESSAGE_hello);
  buffer_u32(out, PROTOCOL_VERSION);
  buffer_text(out, CRANK_VERSION);
  buffer_u32(out, facts->pid);
  buffer_u64(out, facts->started_at);
  buffer_u64(out, clock_now());
  buffer_u64(out, clock_realtime_offset());
  buffer_text(out, facts->boot_id);
  buffer_text(out, facts->home);
  buffer_text(out, facts->cwd);
  uint32_t args = 0;
  while (facts->args[args]) args++;
  buffer_u32(out, args);
  for (uint32_t i = 0; i < args; i++) buffer_text(out, facts->args[i]);
  buffer_text(out, facts->program);
  buffer_u8(out, journal_entries() == 0 ? 1 : 0);
  buffer_u32(out, crashes);
  buffer_u64(out, events_consumed());
  buffer_u32(out, facts->executions);
  buffer_text(out, facts->path);
  finish(out, at);
}

static void write_zone(struct buffer *out) {
  struct zone zone = zone_at((clock_now() + clock_realtime_offset()) / 1000);
  size_t at = begin(out, MESSAGE_helloZone);
  buffer_u32(out, (uint32_t)zone.offset);
  buffer_u64(out, zone.until);
  buffer_u32(out, (uint32_t)zone.next_offset);
  finish(out, at);
}

static void write_handle(struct buffer *out, const struct handle *handle) {
  _Alignas(8) uint8_t address[128];
  /* A stored connection is another process's, which could block this one as long as it likes (inet_getname takes the socket's
   * lock). */
  bool is_connection = handle->type == SOCK_STREAM && !handle->listening;
  size_t length = handle->domain != 0 && !is_connection ? handles_address(handle->fd, address, sizeof address) : 0;
  size_t at = begin(out, MESSAGE_helloHandle);
  buffer_u64(out, handle->id);
  buffer_u64(out, handles_inode(handle));
  buffer_bytes(out, address, length);
  finish(out, at);
}

bool hello_write(struct buffer *out, uint32_t crashes) {
  write_facts(out, crashes);
  write_zone(out);
  for (uint32_t i = 0; i < journal_entries(); i++) {
    size_t at = begin(out, MESSAGE_helloEntry);
    if (!journal_read_entry(i, out)) return false;
    finish(out, at);
  }
  workers_hello(out);
  for (uint32_t i = 0; i < handles_count(); i++) write_handle(out, handles_at(i));
  streams_hello(out);
  size_t at = begin(out, MESSAGE_helloEnd);
  buffer_u32(out, events_outstanding());
  finish(out, at);
  return true;
}
