// The table of worker pipes that the main loop and the output thread share. Declared in thread.h.
#include "output/thread.h"

#include <sys/epoll.h>

#include "app/memory.h"

void table_lock(struct output *output) {
  (void)pthread_mutex_lock(&output->lock);
}

void table_unlock(struct output *output) {
  (void)pthread_mutex_unlock(&output->lock);
}

/* EAGAIN: the counter is full, so the descriptor is readable anyway. */
static void make_readable(int eventfd) {
  uint64_t one = 1;
  ssize_t n = write(eventfd, &one, sizeof one);
  (void)n;
}

void table_wake(const struct output *output) {
  make_readable(output->wake_fd);
}

struct source *table_find(const struct output *output, uint64_t worker) {
  struct source *source = output->sources;
  while (source && (source->worker != worker || source->is_leaving)) source = source->next;
  return source;
}

struct source *table_add(struct output *output, uint64_t worker, uint32_t pid, int fd, const char *prefix, const char *json,
                         bool is_kept) {
  struct source *source = memory_take_zeroed(sizeof *source);
  if (mark_compile(&source->mark, prefix, json) != 0) {
    free(source);
    return NULL;
  }
  source->worker = worker;
  source->pid = pid;
  source->fd = fd;
  source->is_kept = is_kept;
  source->prefix = memory_copy_text(prefix, strlen(prefix));
  source->json = memory_copy_text(json, strlen(json));
  source->next = output->sources;
  output->sources = source;
  return source;
}

void table_wish(struct output *output, struct source *source) {
  if (source->has_wish) return;
  source->has_wish = true;
  source->next_wish = NULL;
  if (output->last_wish) output->last_wish->next_wish = source;
  else output->first_wish = source;
  output->last_wish = source;
}

void table_free(struct output *output, struct source *source) {
  struct source **link = &output->sources;
  while (*link && *link != source) link = &(*link)->next;
  if (*link) *link = source->next;
  if (source->drain == DRAIN_DONE) output->drained--;
  if (source->fd >= 0) {
    // A child between fork and exec may hold the pipe open, so closing it would not remove it from the epoll set.
    (void)epoll_ctl(output->pipes_fd, EPOLL_CTL_DEL, source->fd, NULL);
    (void)close(source->fd);
  }
  mark_free(&source->mark);
  tail_free(&source->tail);
  free(source->prefix);
  free(source->json);
  free(source->half);
  free(source);
}

void table_signal(const struct output *output) {
  make_readable(output->event_fd);
}

void table_clear_signal(const struct output *output) {
  // The caller holds the lock, so nothing is added between the check and the read.
  if (output->drained > 0 || output->followers.ready > 0) return;
  uint64_t count;
  ssize_t n = read(output->event_fd, &count, sizeof count);
  // EAGAIN: it was not readable.
  (void)n;
}

int table_watch(const struct output *output, struct source *source) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = source}};
  int flags = fcntl(source->fd, F_GETFL);
  if (flags < 0 || fcntl(source->fd, F_SETFL, flags | O_NONBLOCK) != 0) return -1;
  return epoll_ctl(output->pipes_fd, EPOLL_CTL_ADD, source->fd, &event);
}

static int set_close_on_exec(int fd, int flag) {
  return fd < 0 ? 0 : fcntl(fd, F_SETFD, flag);
}

int table_close_on_exec(const struct output *output, int flag) {
  int result = set_close_on_exec(output->datagrams.fd, flag);
  for (struct source *source = output->sources; source; source = source->next) {
    if (set_close_on_exec(source->fd, flag) != 0) result = -1;
  }
  return result;
}
