#include "output-thread.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "output-pages.h"

/* A buffer for half lines that is not bigger stays with its worker. */
enum { SMALL_HALF = 256 };

static uint64_t wall_clock(void) {
  struct timespec time = {0};
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Keeps what has been passed on, for those who follow now or ask later. The lock is let go between entries. */
static void keep_lines(struct output *output, const struct source *source, uint32_t pid, uint64_t at, const char *bytes,
                       size_t length) {
  if (!source->is_kept) return;
  struct entry entry = {.worker = source->worker, .at = at, .pid = pid};
  for (size_t done = 0; done < length; done += entry.length) {
    entry.length = (uint32_t)entry_cut(bytes + done, length - done);
    table_lock(output);
    // What would be driven out again before the last entry is there need not go in.
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
  // For those who follow, too, the last half line is a line. There is room: what is left at the end is a half line.
  if (final && done > 0 && output->chunk[done - 1] != '\n') output->chunk[done++] = '\n';
  keep_lines(output, source, pid, at, output->chunk, done);
}

static void take_chunk(struct output *output, const struct source *source) {
  if (!output->chunk) output->chunk = pages_take(CHUNK_SIZE + LINE_LIMIT);
  if (source->half_length > 0) memcpy(output->chunk, source->half, source->half_length);
}

/* Nothing more comes: the half line becomes a line, and the pipe is closed. */
static void end_source(struct output *output, struct source *source) {
  take_chunk(output, source);
  pass_on(output, source, wall_clock(), source->half_length, true);
  if (source->fd < 0) return;
  (void)epoll_ctl(output->pipes_fd, EPOLL_CTL_DEL, source->fd, NULL);
  (void)close(source->fd);
  source->fd = -1;
}

/* Reads once, at most `wanted` bytes. Returns how many, 0 when there is nothing now or never again. */
static size_t read_source(struct output *output, struct source *source, size_t wanted) {
  take_chunk(output, source);
  size_t bound = pass_bound(&output->route, &source->mark, wanted < CHUNK_SIZE ? wanted : CHUNK_SIZE);
  ssize_t n;
  do n = read(source->fd, output->chunk + source->half_length, bound);
  while (n < 0 && errno == EINTR);
  if (n == 0 || (n < 0 && errno != EAGAIN)) end_source(output, source);
  if (n <= 0) return 0;
  pass_on(output, source, wall_clock(), source->half_length + (size_t)n, false);
  struct sink *sink = output->route.sink;
  if (!sink->stuck && sink_waiting(sink) >= SINK_FULL_WRITE) (void)sink_write(sink);
  return (size_t)n;
}

/* Reads what is in the pipe now, even when the sink is stuck: an exit may not wait for whoever reads our output. Not
 * more than that, for what the worker left behind may go on writing. */
static void drain_source(struct output *output, struct source *source) {
  int held = 0;
  if (source->fd >= 0 && ioctl(source->fd, FIONREAD, &held) != 0) held = 0;
  size_t left = held > 0 ? (size_t)held : 1;
  while (source->fd >= 0 && left > 0) {
    size_t n = read_source(output, source, left);
    if (n == 0) break;
    left -= n;
  }
  // One read more tells an end from a pause, so that a last half line is told with the rest.
  if (source->fd >= 0 && left == 0) (void)read_source(output, source, 1);
}

void thread_set_route(struct output *output, struct wanted_route *wanted) {
  route_leave(&output->route);
  output->route.number++;
  output->route.format = wanted->format;
  template_free(&output->route.header);
  free(output->header);
  output->header = wanted->header;
  (void)template_compile(&output->route.header, wanted->header);
  if (output->datagrams.fd >= 0) (void)close(output->datagrams.fd);
  sink_stop(&output->datagrams);
  sink_start(&output->datagrams, "the log socket", wanted->datagram_fd);
  output->datagrams.kind = SINK_DATAGRAMS;
  output->route.sink = wanted->datagram_fd >= 0 ? &output->datagrams : &output->out;
  free(wanted);
}

static void take_route(struct output *output) {
  table_lock(output);
  struct wanted_route *wanted = output->wanted;
  output->wanted = NULL;
  table_unlock(output);
  if (!wanted) return;
  (void)sink_write(output->route.sink);
  thread_set_route(output, wanted);
}

static struct source *next_wish(struct output *output, bool *drain, bool *leave) {
  table_lock(output);
  struct source *source = output->first_wish;
  if (source) {
    output->first_wish = source->next_wish;
    if (!output->first_wish) output->last_wish = NULL;
    source->has_wish = false;
    *drain = source->drain == DRAIN_ASKED;
    *leave = source->is_leaving;
  }
  table_unlock(output);
  return source;
}

static void fulfil_wishes(struct output *output) {
  bool drain = false, leave = false;
  for (struct source *source; (source = next_wish(output, &drain, &leave));) {
    if (drain) drain_source(output, source);
    if (leave) end_source(output, source);
    table_lock(output);
    if (leave) {
      table_free(output, source);
    } else if (drain) {
      source->drain = DRAIN_DONE;
      output->drained++;
      table_signal(output);
    }
    table_unlock(output);
  }
}

static struct sink *log_sink(struct output *output, int index) {
  if (index == LOG_STDOUT) return &output->out;
  return index == LOG_DATAGRAMS && output->datagrams.fd >= 0 ? &output->datagrams : &output->err;
}

static void write_log(struct output *output, struct log_queue *queue, struct sink *sink) {
  sink->lost += queue->lost;
  pass_own_lines(&output->route, sink, (uint32_t)getpid(), wall_clock(), (const char *)queue->bytes.data,
                 queue->bytes.length);
  buffer_free(&queue->bytes);
}

static void write_logs(struct output *output) {
  struct log_queue taken[LOG_SINKS] = {0};
  table_lock(output);
  for (int i = 0; i < LOG_SINKS; i++) {
    // A stuck sink's lines wait where they are counted.
    if (output->logs[i].bytes.length == 0 || log_sink(output, i)->stuck) continue;
    taken[i] = output->logs[i];
    output->logs[i] = (struct log_queue){0};
  }
  table_unlock(output);
  for (int i = 0; i < LOG_SINKS; i++) {
    if (taken[i].bytes.length > 0) write_log(output, &taken[i], log_sink(output, i));
  }
}

static void report(struct output *output, struct sink *sink) {
  char sentence[160], line[JSON_GROWTH * sizeof sentence + 128], time[24];
  uint64_t now = wall_clock();
  size_t length = sink_take_report(sink, now, sentence, sizeof sentence);
  if (length == 0 || (sink == &output->err && sink->error != 0)) return;
  int n;
  if (output->route.format == FORMAT_JSON) {
    size_t written = format_iso_time(&output->route.times, now, time);
    n = snprintf(line, sizeof line, "{\"time\":\"%.*s\",\"level\":\"warning\",\"message\":\"%.*s\"}\n", (int)written, time,
                 (int)length, sentence);
  } else {
    (void)format_iso_time(&output->route.times, now, time);
    n = snprintf(line, sizeof line, "%.19s [manager] WARNING: %.*s\n", output->route.times.slashes, (int)length, sentence);
  }
  if (n > 0) pass_own_lines(&output->route, &output->err, 0, now, line, (size_t)n);
}

static void write_sinks(struct output *output) {
  if (!output->out.stuck) (void)sink_write(&output->out);
  (void)sink_write(&output->datagrams);
  report(output, &output->out);
  report(output, &output->datagrams);
  report(output, &output->err);
  if (!output->err.stuck) (void)sink_write(&output->err);
}

/* Each has one turn: the kernel puts a pipe that was told of behind the others. */
static void read_pipes(struct output *output) {
  struct epoll_event event;
  for (int turn = 0; turn < TURNS && !output->route.sink->stuck; turn++) {
    if (epoll_wait(output->pipes_fd, &event, 1, 0) != 1) return;
    (void)read_source(output, event.data.ptr, CHUNK_SIZE);
  }
}

/* True when it is time to stop. */
static bool look_at_table(struct output *output) {
  bool quiet = !output->out.stuck && !output->err.stuck;
  table_lock(output);
  for (int i = 0; i < LOG_SINKS; i++) quiet = quiet && output->logs[i].bytes.length == 0;
  if (quiet && !output->first_wish && output->flush_done != output->flush_wanted) {
    output->flush_done = output->flush_wanted;
    (void)pthread_cond_broadcast(&output->flushed);
  }
  bool stop = output->stop;
  table_unlock(output);
  return stop;
}

static void rest(struct output *output) {
  pages_free(output->chunk, CHUNK_SIZE + LINE_LIMIT);
  output->chunk = NULL;
  sink_rest(&output->out);
  sink_rest(&output->err);
  sink_rest(&output->datagrams);
}

static bool can_give_back(const struct sink *sink) {
  return sink->pages && sink_waiting(sink) == 0;
}

static void wait_for_work(struct output *output) {
  bool can_rest = output->chunk || can_give_back(&output->out) || can_give_back(&output->err) ||
                  can_give_back(&output->datagrams);
  bool out_stuck = output->out.stuck, err_stuck = output->err.stuck;
  struct pollfd waits[] = {
      {.fd = output->wake_fd, .events = POLLIN},
      {.fd = output->route.sink->stuck ? -1 : output->pipes_fd, .events = POLLIN},
      {.fd = out_stuck ? sink_poll_fd(&output->out) : -1, .events = POLLOUT},
      {.fd = err_stuck ? sink_poll_fd(&output->err) : -1, .events = POLLOUT},
  };
  int n = poll(waits, sizeof waits / sizeof *waits, can_rest ? REST_AFTER_MS : -1);
  if (n == 0) rest(output);
  if (n <= 0) return;
  uint64_t wakes;
  if (waits[0].revents != 0 && read(output->wake_fd, &wakes, sizeof wakes) < 0 && errno != EAGAIN) return;
  if (waits[2].revents != 0) (void)sink_write(&output->out);
  if (waits[3].revents != 0) (void)sink_write(&output->err);
  if (waits[1].revents != 0) read_pipes(output);
}

void *thread_main(void *argument) {
  struct output *output = argument;
  do {
    take_route(output);
    fulfil_wishes(output);
    write_logs(output);
    write_sinks(output);
    if (look_at_table(output)) break;
    wait_for_work(output);
  } while (true);
  rest(output);
  return NULL;
}

void thread_finish(struct output *output) {
  take_route(output);
  fulfil_wishes(output);
  (void)sink_write(&output->datagrams);
  rest(output);
}
