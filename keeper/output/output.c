#include "output/output.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "app/memory.h"
#include "output/thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { THREAD_STACK = 1024 * 1024 };
#else
enum { THREAD_STACK = 64 * 1024 };
#endif

static struct output output = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1, .event_fd = -1, .pipes_fd = -1};

static void close_descriptors(void) {
  int *fds[] = {&output.wake_fd, &output.event_fd, &output.pipes_fd};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    if (*fds[i] >= 0) (void)close(*fds[i]);
    *fds[i] = -1;
  }
}

int table_open(struct output **table) {
  *table = &output;
  if (output.is_open) return 0;
  pthread_condattr_t monotonic;
  output.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  output.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  output.pipes_fd = epoll_create1(EPOLL_CLOEXEC);
  if (output.wake_fd < 0 || output.event_fd < 0 || output.pipes_fd < 0) {
    int error = errno;
    close_descriptors();
    errno = error;
    return -1;
  }
  (void)pthread_condattr_init(&monotonic);
  (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&output.flushed, &monotonic);
  (void)pthread_condattr_destroy(&monotonic);
  sink_start(&output.out, "standard output", STDOUT_FILENO);
  sink_start(&output.err, "standard error", STDERR_FILENO);
  sink_start(&output.datagrams, "the log socket", -1);
  output.datagrams.kind = SINK_DATAGRAMS;
  output.kept.limit = KEPT_LIMIT;
  output.route = (struct route){.number = 1, .sink = &output.out};
  (void)template_compile(&output.route.header, "");
  output.header = memory_copy_text("", 0);
  output.is_open = true;
  return 0;
}

/* The thread blocks all signals: SIGPIPE would end the keeper here, and the others must arrive at the main thread's
 * signalfd. */
int table_start_thread(void) {
  struct output *table;
  if (table_open(&table) != 0) return -1;
  if (output.is_running || output.is_stopped) return 0;
  sigset_t all, before;
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    (void)sigfillset(&all);
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&output.thread, &attributes, thread_main, &output);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
  }
  output.is_running = error == 0;
  errno = error;
  return error == 0 ? 0 : -1;
}

int output_start(void) {
  struct output *table;
  if (table_open(&table) != 0) return -1;
  if (!output.is_stopped) return 0;
  output.is_stopped = false;
  (void)table_close_on_exec(&output, FD_CLOEXEC);
  return table_start_thread();
}

int output_add(uint64_t worker, uint32_t pid, int pipe_fd, const char *prefix, const char *json, int keep) {
  if (table_start_thread() != 0) return -1;
  table_lock(&output);
  struct source *source = table_add(&output, worker, pid, pipe_fd, prefix, json, keep != 0);
  table_unlock(&output);
  if (!source) return -1;
  if (table_watch(&output, source) == 0) return 0;
  int error = errno;
  table_lock(&output);
  source->fd = -1;
  table_free(&output, source);
  table_unlock(&output);
  errno = error;
  return -1;
}

void output_pid(uint64_t worker, uint32_t pid) {
  table_lock(&output);
  struct source *source = table_find(&output, worker);
  if (source) source->pid = pid;
  table_unlock(&output);
}

void output_drain(uint64_t worker) {
  table_lock(&output);
  struct source *source = table_find(&output, worker);
  if (source && source->drain != DRAIN_DONE) {
    source->drain = DRAIN_ASKED;
    table_wish(&output, source);
  }
  table_unlock(&output);
  if (source) table_wake(&output);
}

int output_eventfd(void) {
  return output.event_fd;
}

int output_next_drained(uint64_t *worker) {
  table_lock(&output);
  struct source *source = output.drained > 0 ? output.sources : NULL;
  while (source && source->drain != DRAIN_DONE) source = source->next;
  if (source) {
    *worker = source->worker;
    source->drain = DRAIN_TOLD;
    output.drained--;
  } else {
    table_clear_signal(&output);
  }
  table_unlock(&output);
  return source != NULL;
}

size_t output_tail(uint64_t worker, char *buf, size_t cap) {
  table_lock(&output);
  const struct source *source = table_find(&output, worker);
  size_t length = source ? tail_read(&source->tail, buf, cap) : 0;
  table_unlock(&output);
  return length;
}

void output_remove(uint64_t worker) {
  table_lock(&output);
  struct source *source = table_find(&output, worker);
  if (source) {
    if (source->drain == DRAIN_DONE) output.drained--;
    if (source->drain == DRAIN_DONE) source->drain = DRAIN_TOLD;
    source->is_leaving = true;
    table_wish(&output, source);
  }
  table_unlock(&output);
  if (source) table_wake(&output);
}

int output_log(int sink, const char *bytes, size_t n) {
  if (sink < 1 || sink > LOG_SINKS) {
    errno = EINVAL;
    return -1;
  }
  if (n == 0) return 0;
  if (table_start_thread() != 0) return -1;
  table_lock(&output);
  struct log_queue *queue = &output.logs[sink - 1];
  bool fits = queue->bytes.length + n + 1 <= LOG_LIMIT || queue->bytes.length == 0;
  if (fits) buffer_add(&queue->bytes, bytes, n);
  if (fits && bytes[n - 1] != '\n') buffer_u8(&queue->bytes, '\n');
  if (!fits) queue->lost++;
  table_unlock(&output);
  table_wake(&output);
  return 0;
}

static bool is_unix_address(struct span address) {
  struct sockaddr_un unix_address = {0};
  if (address.length <= sizeof unix_address.sun_family || address.length > sizeof unix_address) return false;
  memcpy(&unix_address, address.data, address.length);
  return unix_address.sun_family == AF_UNIX;
}

int output_format(int format, int sink, struct span address, const char *header) {
  bool datagrams = sink == 1;
  if (format < FORMAT_TEXT || format > FORMAT_JSON || sink < 0 || sink > 2 || (datagrams && !is_unix_address(address))) {
    errno = EINVAL;
    return -1;
  }
  if (strlen(header) > TEMPLATE_LIMIT) {
    errno = E2BIG;
    return -1;
  }
  if (table_start_thread() != 0) return -1;
  int datagram_fd = datagrams ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
  if (datagrams && datagram_fd < 0) return -1;
  struct wanted_route *wanted = memory_take_zeroed(sizeof *wanted);
  wanted->format = format == 1 ? FORMAT_JSON : FORMAT_TEXT;
  wanted->to_stderr = sink == 2;
  wanted->datagram_fd = datagram_fd;
  if (datagrams) {
    wanted->address_length = (socklen_t)address.length;
    memcpy(&wanted->address, address.data, address.length);
  }
  wanted->header = memory_copy_text(header, strlen(header));
  table_lock(&output);
  struct wanted_route *overtaken = output.wanted;
  output.wanted = wanted;
  table_unlock(&output);
  table_wake(&output);
  if (!overtaken) return 0;
  if (overtaken->datagram_fd >= 0) (void)close(overtaken->datagram_fd);
  free(overtaken->header);
  free(overtaken);
  return 0;
}

int output_flush(int timeout_ms) {
  if (!output.is_running) return 0;
  struct timespec until = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  table_lock(&output);
  uint64_t wanted = ++output.flush_wanted;
  table_wake(&output);
  int error = 0;
  while (output.flush_done < wanted && error == 0) {
    error = pthread_cond_timedwait(&output.flushed, &output.lock, &until);
  }
  bool done = output.flush_done >= wanted;
  table_unlock(&output);
  errno = ETIMEDOUT;
  return done ? 0 : -1;
}
