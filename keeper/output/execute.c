// The part of output.h for the re-exec of the keeper.

#include "app/memory.h"
#include "output/output.h"
#include "output/thread.h"

void output_stop(void) {
  struct output *output;
  if (table_open(&output) != 0) return;
  output->is_stopped = true;
  if (!output->is_running) return;
  table_lock(output);
  output->stop = true;
  table_unlock(output);
  table_wake(output);
  (void)pthread_join(output->thread, NULL);
  output->stop = false;
  output->is_running = false;
  thread_finish(output);
}

static int read_all(int fd, uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = read(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EINVAL;
    if (n <= 0) return -1;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
}

int output_save(int fd) {
  struct output *output;
  if (table_open(&output) != 0) return -1;
  struct buffer state = {0};
  buffer_u32(&state, 0);
  table_save(output, &state);
  buffer_set_u32(&state, 0, (uint32_t)state.length - 4);
  int result = buffer_write(&state, fd);
  buffer_free(&state);
  return result == 0 ? table_close_on_exec(output, 0) : -1;
}

static int watch_restored(struct output *output) {
  int result = 0;
  for (struct source *source = output->sources; source; source = source->next) {
    if (source->fd >= 0 && table_watch(output, source) != 0) result = -1;
  }
  return result;
}

static bool has_work(const struct output *output) {
  bool work = output->sources || sink_waiting(&output->out) > 0 || sink_waiting(&output->err) > 0;
  for (int i = 0; i < LOG_SINKS; i++) work = work || output->logs[i].bytes.length > 0;
  return work;
}

int output_restore(int fd) {
  struct output *output;
  uint8_t head[4];
  if (table_open(&output) != 0 || read_all(fd, head, sizeof head) != 0) return -1;
  struct reader reader = reader_of(head, sizeof head);
  uint32_t length = read_u32(&reader);
  uint8_t *state = memory_take(length);
  int result = read_all(fd, state, length);
  if (result == 0) {
    reader = reader_of(state, length);
    bool whole = table_load(output, &reader);
    (void)table_close_on_exec(output, FD_CLOEXEC);
    if (watch_restored(output) != 0 || !whole) result = -1;
    if (!whole) errno = EINVAL;
  }
  free(state);
  if (has_work(output) && table_start_thread() != 0) result = -1;
  return result;
}
