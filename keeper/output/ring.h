/* Queues of lines as they were said, in bounded memory that is there only while they hold something; and the last raw
 * bytes of one worker. No locks of their own. */
#ifndef KEEPER_OUTPUT_RING_H
#define KEEPER_OUTPUT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  /* The most bytes of one entry. A longer line is kept as several entries, of which only the last one ends it. */
  ENTRY_LIMIT = 8 * 1024,
  TAIL_SIZE = 8 * 1024,
};

/* Lines that one worker said at one time (CLOCK_REALTIME, ms). If they do not end with a newline, the last one goes on. */
struct entry {
  uint64_t worker;
  uint64_t at;
  uint32_t pid;
  uint32_t length;
};

/* `limit`: the most bytes that it holds, entries' headers included. */
struct ring {
  char *pages;
  size_t limit;
  size_t start;
  size_t end;
};

/* The first entry's length out of `length` bytes: whole lines where one fits. */
size_t entry_cut(const char *bytes, size_t length);

/* Puts an entry at the end: false if there is no room. */
bool ring_put(struct ring *ring, const struct entry *entry, const char *bytes);
/* Drops the oldest entries until one of `length` bytes has room. */
void ring_make_room(struct ring *ring, size_t length);
/* Reads the entry at *at (0 for the first one) and moves *at behind it; false at the end. */
bool ring_read(const struct ring *ring, size_t *at, struct entry *entry, const char **bytes);
void ring_drop_first(struct ring *ring);
bool ring_is_empty(const struct ring *ring);
void ring_free(struct ring *ring);

struct tail {
  char *bytes;
  /* How many were ever written; the last TAIL_SIZE of them are there. */
  uint64_t written;
};

void tail_add(struct tail *tail, const char *bytes, size_t length);
/* Copies the last bytes, at most `cap`, from the start of a line if there is one. */
size_t tail_read(const struct tail *tail, char *out, size_t cap);
void tail_free(struct tail *tail);

#endif
