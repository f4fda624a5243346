// The part of output.h for control connections that follow output.
#include "output/output.h"
#include "output/thread.h"

int output_follow(uint64_t follower, uint64_t worker, uint32_t lines, int follow) {
  struct output *output;
  if (table_open(&output) != 0) return -1;
  table_lock(output);
  struct follower *added = followers_add(&output->followers, follower, worker, follow != 0);
  follower_replay(&output->followers, added, &output->kept, lines);
  if (added->is_ready) table_signal(output);
  table_unlock(output);
  return 0;
}

void output_unfollow(uint64_t follower) {
  struct output *output;
  if (table_open(&output) != 0) return;
  table_lock(output);
  followers_remove(&output->followers, follower);
  table_unlock(output);
}

int output_next_ready(uint64_t *follower) {
  struct output *output;
  if (table_open(&output) != 0) return 0;
  table_lock(output);
  bool found = followers_next_ready(&output->followers, follower);
  if (!found) table_clear_signal(output);
  table_unlock(output);
  return found;
}

size_t output_take(uint64_t follower, char *buf, size_t cap, uint64_t *dropped) {
  struct output *output;
  size_t length = 0;
  *dropped = 0;
  if (table_open(&output) != 0) return 0;
  table_lock(output);
  struct follower *found = followers_find(&output->followers, follower);
  if (found) {
    *dropped = found->lost;
    found->lost = 0;
    bool more = follower_take(&output->followers, found, buf, cap, &length);
    if (more && length > 0) {
      follower_set_ready(&output->followers, found);
      table_signal(output);
    }
  }
  table_unlock(output);
  return length;
}
