/* Queues of lines in bounded memory, which is allocated only while they hold something; and the last raw bytes of one worker.
 * No locking here. */
#pragma once

#include "app/basics.h"

enum {
  /* Maximum length of an entry. A longer line becomes several entries; only the last one has its newline. */
  ENTRY_LIMIT = 8 * 1024,
  TAIL_SIZE = 8 * 1024,
};

/* Lines that one worker wrote at one time (CLOCK_REALTIME, ms). Without a newline at the end, the last line continues in the
 * next entry. */
struct entry {
  uint64_t worker;
  uint64_t at;
  uint32_t pid;
  uint32_t length;
};

/* `limit`: the maximum number of bytes, including the entries' headers. */
struct ring {
  char *pages;
  size_t limit;
  size_t start;
  size_t end;
};

/* The length of the first entry within `length` bytes: complete lines if one fits. */
size_t entry_cut(const char *bytes, size_t length);

/* Appends an entry. False if there is no room. */
bool ring_put(struct ring *ring, const struct entry *entry, const char *bytes);
/* Drops the oldest entries until an entry of `length` bytes fits. */
void ring_make_room(struct ring *ring, size_t length);
/* Reads the entry at *at (0: the first one) and moves *at to the next; false at the end. */
bool ring_read(const struct ring *ring, size_t *at, struct entry *entry, const char **bytes);
void ring_drop_first(struct ring *ring);
bool ring_is_empty(const struct ring *ring);
void ring_free(struct ring *ring);

struct tail {
  char *bytes;
  /* Number of bytes ever written; the last TAIL_SIZE of them are kept. */
  uint64_t written;
};

void tail_add(struct tail *tail, const char *bytes, size_t length);
/* Copies the last bytes, at most `cap`, from the start of a line if possible. */
size_t tail_read(const struct tail *tail, char *out, size_t cap);
void tail_free(struct tail *tail);
