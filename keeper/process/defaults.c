#include "process/defaults.h"

#include <sys/resource.h>

#include "app/facts.h"
#include "protocol/protocol.h"

static int32_t added_nice;
static struct buffer limits; /* numbers as on the wire, without the count */
static uint32_t limit_count;

int32_t defaults_nice(void) {
  return added_nice;
}

void defaults_set_nice(int32_t added) {
  added_nice = added;
}

void defaults_set_limits(const struct list *numbers) {
  buffer_free(&limits);
  limit_count = 0;
  for (uint32_t i = 0; i + 2 < numbers->count; i += 3) {
    uint64_t soft = list_number(numbers, i + 1);
    uint64_t hard = list_number(numbers, i + 2);
    struct rlimit files = {.rlim_cur = soft >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)soft,
                           .rlim_max = hard >= NO_LIMIT ? RLIM_INFINITY : (rlim_t)hard};
    /* launch_child.c sets this limit for every process. */
    if (list_number(numbers, i) == RLIMIT_NOFILE) {
      facts_set_files(files);
      continue;
    }
    for (uint32_t j = 0; j < 3; j++) buffer_u64(&limits, list_number(numbers, i + j));
    limit_count += 3;
  }
}

struct list defaults_limits(struct buffer *out, const struct list *more) {
  size_t start = out->length;
  buffer_add(out, limits.data, limits.length);
  buffer_add(out, more->data, more->length);
  return (struct list){.data = out->data + start, .length = out->length - start, .count = limit_count + more->count};
}

void defaults_save(struct buffer *out) {
  buffer_u32(out, (uint32_t)added_nice);
  buffer_u32(out, limit_count);
  buffer_add(out, limits.data, limits.length);
}

bool defaults_load(struct reader *in) {
  added_nice = read_i32(in);
  struct list numbers = read_numbers(in);
  if (in->failed) return false;
  buffer_free(&limits);
  buffer_add(&limits, numbers.data, numbers.length);
  limit_count = numbers.count;
  return true;
}
