#include "supervisor/hello.h"

#include "app/clock.h"
#include "app/facts.h"
#include "connections/streams.h"
#include "journal/journal.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/handles.h"
#include "supervisor/zone.h"
#include "worker/workers.h"

static void write_facts(struct buffer *out, uint32_t crashes) {
  struct buffer texts = {0};
  struct list args = buffer_pack(&texts, facts->args);
  append_greeting(hello, out, .protocol = PROTOCOL_VERSION, .version = CRANK_VERSION, .pid = facts->pid,
                  .started_at = facts->started_at, .now = clock_now(), .realtime_offset = clock_realtime_offset(),
                  .boot_id = facts->boot_id, .home = facts->home, .cwd = facts->cwd, .args = args, .program = facts->program,
                  .fresh = journal_entries() == 0, .crashes = crashes, .consumed = events_consumed(),
                  .executions = facts->executions, .path = facts->path);
  buffer_free(&texts);
}

static void write_zone(struct buffer *out) {
  struct zone zone = zone_at((clock_now() + clock_realtime_offset()) / 1000);
  append_greeting(helloZone, out, zone.offset, zone.until, zone.next_offset);
}

static void write_handle(struct buffer *out, const struct handle *handle) {
  _Alignas(8) uint8_t address[128];
  /* A stored connection is another process's, which could block this one as long as it likes (inet_getname takes the socket's
   * lock). */
  bool is_connection = handle->type == SOCK_STREAM && !handle->listening;
  size_t length = handle->domain != 0 && !is_connection ? handles_address(handle->fd, address, sizeof address) : 0;
  append_greeting(helloHandle, out, handle->id, handles_inode(handle), span_of(address, length));
}

bool hello_write(struct buffer *out, uint32_t crashes) {
  write_facts(out, crashes);
  write_zone(out);
  for (uint32_t i = 0; i < journal_entries(); i++) {
    size_t begin = frame_begin(out, MESSAGE_helloEntry);
    if (!journal_read_entry(i, out)) return false;
    frame_end(out, begin);
  }
  workers_hello(out);
  for (uint32_t i = 0; i < handles_count(); i++) write_handle(out, handles_at(i));
  streams_hello(out);
  append_greeting(helloEnd, out, events_outstanding());
  return true;
}
