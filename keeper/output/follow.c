#include "output/follow.h"

#include "app/memory.h"

static const char log_end[] = "{\"jsonrpc\":\"2.0\",\"method\":\"logEnd\",\"params\":{}}\n";

struct follower *followers_find(const struct followers *followers, uint64_t id) {
  struct follower *follower = followers->first;
  while (follower && follower->id != id) follower = follower->next;
  return follower;
}

struct follower *followers_add(struct followers *followers, uint64_t id, uint64_t worker, bool follows) {
  struct follower *follower = followers_find(followers, id);
  if (!follower) {
    follower = memory_take_zeroed(sizeof *follower);
    follower->id = id;
    follower->waiting.limit = FOLLOWER_LIMIT;
    follower->next = followers->first;
    followers->first = follower;
  }
  follower->worker = worker;
  follower->follows = follows;
  return follower;
}

void followers_remove(struct followers *followers, uint64_t id) {
  struct follower **link = &followers->first;
  while (*link && (*link)->id != id) link = &(*link)->next;
  struct follower *follower = *link;
  if (!follower) return;
  *link = follower->next;
  if (follower->is_ready) followers->ready--;
  ring_free(&follower->waiting);
  free(follower);
}

void follower_set_ready(struct followers *followers, struct follower *follower) {
  if (follower->is_ready) return;
  follower->is_ready = true;
  followers->ready++;
}

bool followers_next_ready(struct followers *followers, uint64_t *id) {
  if (followers->ready == 0) return false;
  struct follower *follower = followers->first;
  while (follower && !follower->is_ready) follower = follower->next;
  if (!follower) return false;
  follower->is_ready = false;
  followers->ready--;
  *id = follower->id;
  return true;
}

/* The length of the first line of `bytes`, with its newline; an incomplete line counts as one. */
static size_t line_length(const char *bytes, size_t length) {
  const char *newline = memchr(bytes, '\n', length);
  return newline ? (size_t)(newline - bytes) + 1 : length;
}

static uint64_t count_lines(const char *bytes, size_t length) {
  uint64_t lines = 0;
  for (size_t at = 0; at < length; at += line_length(bytes + at, length - at)) lines++;
  return lines;
}

static bool wants(const struct follower *follower, const struct entry *entry) {
  return follower->worker == 0 || follower->worker == entry->worker;
}

static void give(struct follower *follower, const struct entry *entry, const char *bytes) {
  if (!ring_put(&follower->waiting, entry, bytes)) follower->lost += count_lines(bytes, entry->length);
}

void follower_replay(struct followers *followers, struct follower *follower, const struct ring *kept, uint32_t lines) {
  struct entry entry;
  const char *bytes;
  uint64_t found = 0;
  for (size_t at = 0; ring_read(kept, &at, &entry, &bytes);) {
    if (wants(follower, &entry)) found += count_lines(bytes, entry.length);
  }
  uint64_t skip = found > lines ? found - lines : 0;
  for (size_t at = 0; ring_read(kept, &at, &entry, &bytes);) {
    if (!wants(follower, &entry)) continue;
    size_t from = 0;
    for (; skip > 0 && from < entry.length; skip--) from += line_length(bytes + from, entry.length - from);
    entry.length -= (uint32_t)from;
    if (entry.length > 0) give(follower, &entry, bytes + from);
  }
  if (!ring_is_empty(&follower->waiting) || !follower->follows) follower_set_ready(followers, follower);
}

bool followers_offer(struct followers *followers, const struct entry *entry, const char *bytes) {
  size_t before = followers->ready;
  for (struct follower *follower = followers->first; follower; follower = follower->next) {
    if (!follower->follows || !wants(follower, entry)) continue;
    bool was_empty = ring_is_empty(&follower->waiting);
    give(follower, entry, bytes);
    if (was_empty) follower_set_ready(followers, follower);
  }
  return followers->ready > before;
}

/* The size of a notification without its line. */
enum { NOTIFICATION_FRAME = 192 };

static char *put(char *out, const char *text) {
  size_t length = strlen(text);
  memcpy(out, text, length);
  return out + length;
}

static size_t format_notification(struct time_text *times, const struct entry *entry, const char *line, size_t length,
                                  char *out) {
  bool whole = line[length - 1] == '\n';
  char *to = put(out, "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"time\":\"");
  to += format_iso_time(times, entry->at, to);
  to = put(to, "\",\"worker\":");
  to += format_number(entry->worker, to);
  to = put(to, ",\"pid\":");
  to += format_number(entry->pid, to);
  to = put(to, ",\"line\":\"");
  to += json_escape(to, line, whole ? length - 1 : length);
  to = put(to, whole ? "\"}}\n" : "\",\"partial\":true}}\n");
  return (size_t)(to - out);
}

/* For little room: formats into a temporary buffer first, to know the exact size. 0 if it does not fit. */
static size_t format_tightly(struct time_text *times, const struct entry *entry, const char *line, size_t length, char *out,
                             size_t cap) {
  char *made = memory_take(NOTIFICATION_FRAME + JSON_GROWTH * length);
  size_t size = format_notification(times, entry, line, length, made);
  if (size <= cap) memcpy(out, made, size);
  free(made);
  return size <= cap ? size : 0;
}

/* Copies the notifications of the first entry. False if there is no room for all of them. */
static bool take_entry(struct followers *followers, struct follower *follower, const struct entry *entry, const char *bytes,
                       char *out, size_t cap, size_t *used) {
  while (follower->taken < entry->length) {
    const char *line = bytes + follower->taken;
    size_t length = line_length(line, entry->length - follower->taken), left = cap - *used, size;
    if (left >= NOTIFICATION_FRAME + JSON_GROWTH * length) {
      size = format_notification(&followers->times, entry, line, length, out + *used);
    } else {
      size = format_tightly(&followers->times, entry, line, length, out + *used, left);
    }
    if (size == 0) return false;
    *used += size;
    follower->taken += length;
  }
  return true;
}

bool follower_take(struct followers *followers, struct follower *follower, char *out, size_t cap, size_t *length) {
  struct entry entry;
  const char *bytes;
  *length = 0;
  for (size_t at = 0; ring_read(&follower->waiting, &at, &entry, &bytes); at = 0) {
    if (!take_entry(followers, follower, &entry, bytes, out, cap, length)) return true;
    ring_drop_first(&follower->waiting);
    follower->taken = 0;
  }
  ring_free(&follower->waiting);
  if (follower->follows) return false;
  if (cap - *length < sizeof log_end - 1) return true;
  memcpy(out + *length, log_end, sizeof log_end - 1);
  *length += sizeof log_end - 1;
  followers_remove(followers, follower->id);
  return false;
}
