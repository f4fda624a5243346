#include "connections/list.h"

#include "app/memory.h"

static struct connection **connections;
static uint32_t count;
static uint32_t strangers; /* among `connections` */

uint32_t list_count(void) {
  return count;
}

struct connection *list_at(uint32_t index) {
  return connections[index];
}

struct connection *list_find(uint64_t id) {
  for (uint32_t i = 0; i < count; i++) {
    if (connections[i]->id == id) return connections[i];
  }
  return NULL;
}

struct connection *list_add(struct connection *connection) {
  connections = memory_grow(connections, count, sizeof *connections);
  connections[count++] = connection;
  if (connection->is_stranger) strangers++;
  return connection;
}

void list_remove(const struct connection *connection) {
  for (uint32_t i = 0; i < count; i++) {
    if (connections[i] == connection) connections[i] = connections[--count];
  }
  if (connection->is_stranger) strangers--;
}

uint32_t list_strangers(void) {
  return strangers;
}

uint64_t list_first_due(void) {
  uint64_t first = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t due = connections[i]->due;
    if (due != 0 && (first == 0 || due < first)) first = due;
  }
  return first;
}

void list_count_elsewhere(struct connection *connection) {
  if (!connection->is_stranger) return;
  connection->elsewhere = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct connection *other = connections[i];
    bool shares = other != connection && other->is_stranger && other->peer.uid == connection->peer.uid &&
                  other->listener == connection->listener;
    if (shares) connection->elsewhere += other->queued;
  }
}

struct connection *list_next_to_resume(void) {
  struct connection *next = NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    if (!connection->paused || connection->is_held) continue;
    bool is_behind = next && (connection->is_stranger != next->is_stranger ? connection->is_stranger
                                                                           : connection->paused_since > next->paused_since);
    if (is_behind) continue;
    list_count_elsewhere(connection);
    if (!connection_is_full(connection)) next = connection;
  }
  return next;
}

struct connection *list_oldest_silent(uint32_t *silent) {
  struct connection *oldest = NULL;
  *silent = 0;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    if (!connection->is_stranger || connection->spoke || connection->due == 0) continue;
    ++*silent;
    if (!oldest || connection->id < oldest->id) oldest = connection;
  }
  return oldest;
}

struct connection *list_biggest(void) {
  struct connection *biggest = NULL;
  for (uint32_t i = 0; i < count; i++) {
    struct connection *connection = connections[i];
    bool is_bigger = !biggest || (connection->is_stranger != biggest->is_stranger
                                      ? connection->is_stranger
                                      : connection_bytes_of(connection) > connection_bytes_of(biggest));
    if (connection_bytes_of(connection) > 0 && is_bigger) biggest = connection;
  }
  return biggest;
}
