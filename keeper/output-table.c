// The table of workers' pipes that the main loop and the output thread share. Declared in output-thread.h.
#include "output-thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "memory.h"

struct source *table_find(const struct output *output, uint64_t worker) {
  struct source *source = output->sources;
  while (source && (source->worker != worker || source->is_leaving)) source = source->next;
  return source;
}

struct source *table_add(struct output *output, uint64_t worker, uint32_t pid, int fd, const char *prefix,
                         const char *json, bool is_kept) {
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
    // A child that is just being made may hold the pipe open, so closing alone would not take it out of the epoll.
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
  uint64_t one = 1;
  ssize_t n = write(output->event_fd, &one, sizeof one);
  // EAGAIN: it has been told 2^64 - 2 times and not looked once; it is readable all the same.
  (void)n;
}
