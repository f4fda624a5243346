// Reads a worker's pipe and distributes the bytes. Declared in thread.h.
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

#include "app/memory.h"
#include "app/pages.h"
#include "output/thread.h"

/* A buffer for an incomplete line up to this size is kept for its worker. */
enum { SMALL_HALF = 256 };

uint64_t thread_time(void) {
  struct timespec time = {0};
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Keeps passed lines for current and later followers. The lock is released between entries. */
static void keep_lines(struct output *output, const struct source *source, uint32_t pid, uint64_t at, const char *bytes,
                       size_t length) {
  if (!source->is_kept) return;
  struct entry entry = {.worker = source->worker, .at = at, .pid = pid};
  for (size_t done = 0; done < length; done += entry.length) {
    entry.length = (uint32_t)entry_cut(bytes + done, length - done);
    table_lock(output);
    // Skips entries that would be dropped again before the last one is stored.
    if (length - done <= KEPT_LIMIT - KEPT_LIMIT / 16) {
      ring_make_room(&output->kept, entry.length);
      (void)ring_put(&output->kept, &entry, bytes + done);
    }
    if (followers_offer(&output->followers, &entry, bytes + done)) table_signal(output);
    table_unlock(output);
  }
}

static void keep_half(struct source *source, const char *bytes, size_t length) {
  if (length == 0 && source->half_capacity > SMALL_HALF) {
    free(source->half);
    source->half = NULL;
    source->half_capacity = 0;
  }
  if (length > source->half_capacity) {
    source->half = memory_resize(source->half, length);
    source->half_capacity = length;
  }
  if (length > 0) memcpy(source->half, bytes, length);
  source->half_length = length;
}

static void pass_on(struct output *output, struct source *source, uint64_t at, size_t length, bool final) {
  table_lock(output);
  uint32_t pid = source->pid;
  tail_add(&source->tail, output->chunk + source->half_length, length - source->half_length);
  table_unlock(output);
  size_t done = pass_lines(&output->route, &source->mark, pid, at, output->chunk, length, final);
  keep_half(source, output->chunk + done, length - done);
  // Followers also get the last incomplete line as a line. There is room: only an incomplete line is left at the end.
  if (final && done > 0 && output->chunk[done - 1] != '\n') output->chunk[done++] = '\n';
  keep_lines(output, source, pid, at, output->chunk, done);
}

static void take_chunk(struct output *output, const struct source *source) {
  if (!output->chunk) output->chunk = pages_take(CHUNK_SIZE + LINE_LIMIT);
  if (source->half_length > 0) memcpy(output->chunk, source->half, source->half_length);
}

void end_source(struct output *output, struct source *source) {
  take_chunk(output, source);
  pass_on(output, source, thread_time(), source->half_length, true);
  if (source->fd < 0) return;
  (void)epoll_ctl(output->pipes_fd, EPOLL_CTL_DEL, source->fd, NULL);
  (void)close(source->fd);
  source->fd = -1;
}

size_t read_source(struct output *output, struct source *source, size_t wanted) {
  take_chunk(output, source);
  size_t bound = pass_bound(&output->route, &source->mark, wanted < CHUNK_SIZE ? wanted : CHUNK_SIZE);
  ssize_t n;
  do n = read(source->fd, output->chunk + source->half_length, bound);
  while (n < 0 && errno == EINTR);
  if (n == 0 || (n < 0 && errno != EAGAIN)) end_source(output, source);
  if (n <= 0) return 0;
  pass_on(output, source, thread_time(), source->half_length + (size_t)n, false);
  struct sink *sink = output->route.sink;
  if (!sink->stuck && sink_waiting(sink) >= SINK_FULL_WRITE) (void)sink_write(sink);
  return (size_t)n;
}

void drain_source(struct output *output, struct source *source) {
  int held = 0;
  if (source->fd >= 0 && ioctl(source->fd, FIONREAD, &held) != 0) held = 0;
  size_t left = held > 0 ? (size_t)held : 1;
  while (source->fd >= 0 && left > 0) {
    size_t n = read_source(output, source, left);
    if (n == 0) break;
    left -= n;
  }
  // One more read tells an end from a pause, so that a last incomplete line comes with the rest.
  if (source->fd >= 0 && left == 0) (void)read_source(output, source, 1);
}
