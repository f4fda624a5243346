/* Followers of worker output (control connections), and the lines that wait for each. No locking here. */
#pragma once

#include "app/basics.h"
#include "output/format.h"
#include "output/ring.h"

enum { FOLLOWER_LIMIT = 256 * 1024 };

struct follower {
  struct follower *next;
  uint64_t id;
  /* 0: all workers. */
  uint64_t worker;
  bool follows;
  /* The main loop must be told that there is something to take. */
  bool is_ready;
  struct ring waiting;
  /* Offset into the first entry up to which it was taken. */
  size_t taken;
  uint64_t lost;
};

struct followers {
  struct follower *first;
  /* Number of ready followers. */
  size_t ready;
  struct time_text times;
};

struct follower *followers_find(const struct followers *followers, uint64_t id);
/* Adds a follower, or changes what an existing one follows. */
struct follower *followers_add(struct followers *followers, uint64_t id, uint64_t worker, bool follows);
void followers_remove(struct followers *followers, uint64_t id);
/* Queues the last `lines` kept lines for it. */
void follower_replay(struct followers *followers, struct follower *follower, const struct ring *kept, uint32_t lines);
/* Offers an entry to all followers. True if one became ready. */
bool followers_offer(struct followers *followers, const struct entry *entry, const char *bytes);
/* Returns a ready follower and clears its readiness. False if there is none. */
bool followers_next_ready(struct followers *followers, uint64_t *id);
/* Copies complete notifications, at most `cap` bytes. Removes a follower that has got its last one. True if more are left. */
bool follower_take(struct followers *followers, struct follower *follower, char *out, size_t cap, size_t *length);
void follower_set_ready(struct followers *followers, struct follower *follower);
