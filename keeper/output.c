#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "output-thread.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { THREAD_STACK = 1024 * 1024 };
#else
enum { THREAD_STACK = 64 * 1024 };
#endif

static struct output output = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_fd = -1, .event_fd = -1, .pipes_fd = -1};

static void lock_table(void) {
  (void)pthread_mutex_lock(&output.lock);
}

static void unlock_table(void) {
  (void)pthread_mutex_unlock(&output.lock);
}

static void wake_thread(void) {
  uint64_t one = 1;
  ssize_t n = write(output.wake_fd, &one, sizeof one);
  // EAGAIN means that it is readable, which is all that matters.
  (void)n;
}

static void close_descriptors(void) {
  int *fds[] = {&output.wake_fd, &output.event_fd, &output.pipes_fd};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
    if (*fds[i] >= 0) (void)close(*fds[i]);
    *fds[i] = -1;
  }
}

static int open_output(void) {
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

/* Signals are the main thread's: a SIGPIPE here would end the keeper, another would be lost to its signalfd. */
static int start_thread(void) {
  if (open_output() != 0) return -1;
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

/* An execution that fails goes on with this program, and its children must not get the pipes. */
static int set_close_on_exec(int fd, int flag) {
  return fd < 0 ? 0 : fcntl(fd, F_SETFD, flag);
}

static int set_all_close_on_exec(int flag) {
  int result = set_close_on_exec(output.datagrams.fd, flag);
  for (struct source *source = output.sources; source; source = source->next) {
    if (set_close_on_exec(source->fd, flag) != 0) result = -1;
  }
  return result;
}

int output_start(void) {
  if (open_output() != 0) return -1;
  if (!output.is_stopped) return 0;
  output.is_stopped = false;
  (void)set_all_close_on_exec(FD_CLOEXEC);
  return start_thread();
}

static int watch_pipe(struct source *source) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = source}};
  int flags = fcntl(source->fd, F_GETFL);
  if (flags < 0 || fcntl(source->fd, F_SETFL, flags | O_NONBLOCK) != 0) return -1;
  return epoll_ctl(output.pipes_fd, EPOLL_CTL_ADD, source->fd, &event);
}

int output_add(uint64_t worker, uint32_t pid, int pipe_fd, const char *prefix, const char *json, int keep) {
  if (start_thread() != 0) return -1;
  lock_table();
  struct source *source = table_add(&output, worker, pid, pipe_fd, prefix, json, keep != 0);
  unlock_table();
  if (!source) return -1;
  if (watch_pipe(source) == 0) return 0;
  int error = errno;
  lock_table();
  source->fd = -1;
  table_free(&output, source);
  unlock_table();
  errno = error;
  return -1;
}

void output_pid(uint64_t worker, uint32_t pid) {
  lock_table();
  struct source *source = table_find(&output, worker);
  if (source) source->pid = pid;
  unlock_table();
}

void output_drain(uint64_t worker) {
  lock_table();
  struct source *source = table_find(&output, worker);
  if (source && source->drain != DRAIN_DONE) {
    source->drain = DRAIN_ASKED;
    table_wish(&output, source);
  }
  unlock_table();
  if (source) wake_thread();
}

int output_eventfd(void) {
  return output.event_fd;
}

/* The caller holds the lock, so nothing can be added between the look and the read. */
static void clear_event(void) {
  if (output.drained > 0 || output.followers.ready > 0) return;
  uint64_t count;
  ssize_t n = read(output.event_fd, &count, sizeof count);
  // EAGAIN: it was clear.
  (void)n;
}

int output_next_drained(uint64_t *worker) {
  lock_table();
  struct source *source = output.drained > 0 ? output.sources : NULL;
  while (source && source->drain != DRAIN_DONE) source = source->next;
  if (source) {
    *worker = source->worker;
    source->drain = DRAIN_TOLD;
    output.drained--;
  } else {
    clear_event();
  }
  unlock_table();
  return source != NULL;
}

size_t output_tail(uint64_t worker, char *buf, size_t cap) {
  lock_table();
  const struct source *source = table_find(&output, worker);
  size_t length = source ? tail_read(&source->tail, buf, cap) : 0;
  unlock_table();
  return length;
}

void output_remove(uint64_t worker) {
  lock_table();
  struct source *source = table_find(&output, worker);
  if (source) {
    if (source->drain == DRAIN_DONE) output.drained--;
    if (source->drain == DRAIN_DONE) source->drain = DRAIN_TOLD;
    source->is_leaving = true;
    table_wish(&output, source);
  }
  unlock_table();
  if (source) wake_thread();
}

int output_log(int sink, const char *bytes, size_t n) {
  if (sink < 1 || sink > LOG_SINKS) {
    errno = EINVAL;
    return -1;
  }
  if (n == 0) return 0;
  if (start_thread() != 0) return -1;
  lock_table();
  struct log_queue *queue = &output.logs[sink - 1];
  bool fits = queue->bytes.length + n + 1 <= LOG_LIMIT || queue->bytes.length == 0;
  if (fits) buffer_add(&queue->bytes, bytes, n);
  if (fits && bytes[n - 1] != '\n') buffer_u8(&queue->bytes, '\n');
  if (!fits) queue->lost++;
  unlock_table();
  wake_thread();
  errno = ENOBUFS;
  return fits ? 0 : -1;
}

int output_format(int format, int sink, int datagram_fd, const char *header) {
  bool datagrams = sink == 1;
  if (format < FORMAT_TEXT || format > FORMAT_JSON || sink < 0 || sink > 1 || datagrams != (datagram_fd >= 0)) {
    errno = EINVAL;
    return -1;
  }
  if (strlen(header) > TEMPLATE_LIMIT) {
    errno = E2BIG;
    return -1;
  }
  if (start_thread() != 0) return -1;
  struct wanted_route *wanted = memory_take(sizeof *wanted);
  *wanted = (struct wanted_route){.format = format == 1 ? FORMAT_JSON : FORMAT_TEXT, .datagram_fd = datagram_fd};
  wanted->header = memory_copy_text(header, strlen(header));
  lock_table();
  struct wanted_route *overtaken = output.wanted;
  output.wanted = wanted;
  unlock_table();
  wake_thread();
  if (!overtaken) return 0;
  if (overtaken->datagram_fd >= 0) (void)close(overtaken->datagram_fd);
  free(overtaken->header);
  free(overtaken);
  return 0;
}

int output_follow(uint64_t follower, uint64_t worker, uint32_t lines, int follow) {
  if (open_output() != 0) return -1;
  lock_table();
  struct follower *added = followers_add(&output.followers, follower, worker, follow != 0);
  follower_replay(&output.followers, added, &output.kept, lines);
  if (added->is_ready) table_signal(&output);
  unlock_table();
  return 0;
}

void output_unfollow(uint64_t follower) {
  lock_table();
  followers_remove(&output.followers, follower);
  unlock_table();
}

int output_next_ready(uint64_t *follower) {
  lock_table();
  bool found = followers_next_ready(&output.followers, follower);
  if (!found) clear_event();
  unlock_table();
  return found;
}

size_t output_take(uint64_t follower, char *buf, size_t cap, uint64_t *dropped) {
  size_t length = 0;
  *dropped = 0;
  lock_table();
  struct follower *found = followers_find(&output.followers, follower);
  if (found) {
    *dropped = found->lost;
    found->lost = 0;
    bool more = follower_take(&output.followers, found, buf, cap, &length);
    if (more && length > 0) {
      follower_set_ready(&output.followers, found);
      table_signal(&output);
    }
  }
  unlock_table();
  return length;
}

int output_flush(int timeout_ms) {
  if (!output.is_running) return 0;
  struct timespec until = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  lock_table();
  uint64_t wanted = ++output.flush_wanted;
  wake_thread();
  int error = 0;
  while (output.flush_done < wanted && error == 0) {
    error = pthread_cond_timedwait(&output.flushed, &output.lock, &until);
  }
  bool done = output.flush_done >= wanted;
  unlock_table();
  errno = ETIMEDOUT;
  return done ? 0 : -1;
}

void output_stop(void) {
  output.is_stopped = true;
  if (!output.is_running) return;
  lock_table();
  output.stop = true;
  unlock_table();
  wake_thread();
  (void)pthread_join(output.thread, NULL);
  output.stop = false;
  output.is_running = false;
  thread_finish(&output);
}

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    bytes += n;
    length -= (size_t)n;
  }
  return 0;
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
  if (open_output() != 0) return -1;
  struct buffer state = {0};
  buffer_u32(&state, 0);
  table_save(&output, &state);
  buffer_set_u32(&state, 0, (uint32_t)state.length - 4);
  int result = write_all(fd, state.data, state.length);
  buffer_free(&state);
  return result == 0 ? set_all_close_on_exec(0) : -1;
}

static int watch_restored(void) {
  int result = 0;
  for (struct source *source = output.sources; source; source = source->next) {
    if (source->fd >= 0 && watch_pipe(source) != 0) result = -1;
  }
  return result;
}

int output_restore(int fd) {
  uint8_t head[4];
  if (open_output() != 0 || read_all(fd, head, sizeof head) != 0) return -1;
  struct reader reader = reader_of(head, sizeof head);
  uint32_t length = read_u32(&reader);
  uint8_t *state = memory_take(length);
  int result = read_all(fd, state, length);
  if (result == 0) {
    reader = reader_of(state, length);
    bool whole = table_load(&output, &reader);
    (void)set_all_close_on_exec(FD_CLOEXEC);
    if (watch_restored() != 0 || !whole) result = -1;
    if (!whole) errno = EINVAL;
  }
  free(state);
  bool has_work = output.sources || output.out.end > 0 || output.err.end > 0;
  if (has_work && start_thread() != 0) result = -1;
  return result;
}
