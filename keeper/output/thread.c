#include "output/thread.h"

#include <poll.h>
#include <sys/epoll.h>

#include "app/pages.h"
#include "app/priority.h"

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
  output->datagrams.address = wanted->address;
  output->datagrams.address_length = wanted->address_length;
  struct sink *stream = wanted->to_stderr ? &output->err : &output->out;
  output->route.sink = wanted->datagram_fd >= 0 ? &output->datagrams : stream;
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
    take_route(output);
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
  pass_own_lines(&output->route, sink, (uint32_t)getpid(), thread_time(), (const char *)queue->bytes.data, queue->bytes.length);
  buffer_free(&queue->bytes);
}

static void write_logs(struct output *output) {
  struct log_queue taken[LOG_SINKS] = {0};
  table_lock(output);
  for (int i = 0; i < LOG_SINKS; i++) {
    // The lines of a stuck sink stay in the queue, where their number is limited.
    if (output->logs[i].bytes.length == 0 || log_sink(output, i)->stuck) continue;
    taken[i] = output->logs[i];
    output->logs[i] = (struct log_queue){0};
  }
  table_unlock(output);
  take_route(output); /* a route that was set before these lines were queued applies to them */
  for (int i = 0; i < LOG_SINKS; i++) {
    if (taken[i].bytes.length > 0) write_log(output, &taken[i], log_sink(output, i));
  }
}

static void report(struct output *output, struct sink *sink) {
  char sentence[160], line[JSON_GROWTH * sizeof sentence + 128], time[ISO_TIME_SIZE];
  uint64_t now = thread_time();
  size_t length = sink_take_report(sink, now, sentence, sizeof sentence);
  if (length == 0 || (sink == &output->err && sink->error != 0)) return;
  int n;
  if (output->route.format == FORMAT_JSON) {
    size_t written = format_iso_time(&output->route.times, now, time);
    n = snprintf(line, sizeof line, "{\"time\":\"%.*s\",\"level\":\"warning\",\"message\":\"%.*s\"}\n", (int)written, time,
                 (int)length, sentence);
  } else {
    (void)format_iso_time(&output->route.times, now, time);
    n = snprintf(line, sizeof line, "%.19s WARNING: %.*s\n", output->route.times.slashes, (int)length, sentence);
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

/* Each pipe gets one turn: the kernel moves a reported pipe to the end of its list. */
static void read_pipes(struct output *output) {
  struct epoll_event event;
  for (int turn = 0; turn < TURNS && !output->route.sink->stuck; turn++) {
    if (epoll_wait(output->pipes_fd, &event, 1, 0) != 1) return;
    (void)read_source(output, event.data.ptr, CHUNK_SIZE);
  }
}

/* True if the thread must stop. */
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
  bool can_rest =
      output->chunk || can_give_back(&output->out) || can_give_back(&output->err) || can_give_back(&output->datagrams);
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
  if (waits[1].revents == 0) return;
  take_route(output); /* a route that was set before a worker was added applies to its first line */
  read_pipes(output);
}

void *thread_main(void *argument) {
  struct output *output = argument;
  priority_give_way(); /* bulk output may wait; a readiness or an exit in the main thread must not */
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
