/* Who follows worker output over a control connection, and what waits for them. No lock of its own. */
#ifndef KEEPER_OUTPUT_FOLLOW_H
#define KEEPER_OUTPUT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/format.h"
#include "output/ring.h"

enum { FOLLOWER_LIMIT = 256 * 1024 };

struct follower {
  struct follower *next;
  uint64_t id;
  /* 0: all. */
  uint64_t worker;
  bool follows;
  /* The main loop has to learn that there is something to take. */
  bool is_ready;
  struct ring waiting;
  /* How far into the first entry it has been taken. */
  size_t taken;
  uint64_t lost;
};

struct followers {
  struct follower *first;
  /* How many are ready. */
  size_t ready;
  struct time_text times;
};

struct follower *followers_find(const struct followers *followers, uint64_t id);
/* Makes one, or gives the one that is there another wish. */
struct follower *followers_add(struct followers *followers, uint64_t id, uint64_t worker, bool follows);
void followers_remove(struct followers *followers, uint64_t id);
/* Gives it the last `lines` lines that are kept. */
void follower_replay(struct followers *followers, struct follower *follower, const struct ring *kept, uint32_t lines);
/* Offers an entry to all that follow. True if one got ready that was not. */
bool followers_offer(struct followers *followers, const struct entry *entry, const char *bytes);
/* Takes one that is ready, and it is so no more. */
bool followers_next_ready(struct followers *followers, uint64_t *id);
/* Copies whole notifications, at most `cap` bytes. One that has got its last is forgotten. True if more are left. */
bool follower_take(struct followers *followers, struct follower *follower, char *out, size_t cap, size_t *length);
void follower_set_ready(struct followers *followers, struct follower *follower);

#endif
