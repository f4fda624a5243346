#include "loop/poller.h"

#include <sys/epoll.h>

enum {
  AT_ONCE = 128,
  PAGE = 4096,
  STACK = 4 * PAGE, /* more than reading a datagram needs */
};

static int epoll = -1;
static struct epoll_event ready[AT_ONCE]; /* events of this round; the watcher is NULL once it was called or removed */
static int ready_count;

int poller_open(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  return epoll < 0 ? -1 : 0;
}

static int control(int operation, int fd, struct watcher *watcher, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.ptr = watcher}};
  return epoll_ctl(epoll, operation, fd, &event);
}

int poller_add(int fd, struct watcher *watcher, uint32_t events) {
  return control(EPOLL_CTL_ADD, fd, watcher, events);
}

int poller_change(int fd, struct watcher *watcher, uint32_t events) {
  return control(EPOLL_CTL_MOD, fd, watcher, events);
}

void poller_remove(int fd, const struct watcher *watcher) {
  (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  for (int i = 0; i < ready_count; i++) {
    if (ready[i].data.ptr == watcher) ready[i].data.ptr = NULL;
  }
}

static void call(enum turn turn) {
  for (int i = 0; i < ready_count; i++) {
    struct watcher *watcher = ready[i].data.ptr;
    if (!watcher || watcher->turn != turn) continue;
    ready[i].data.ptr = NULL;
    watcher->events = ready[i].events;
    watcher->ready(watcher);
  }
}

/* After fork(2) the first write to each page is a fault, which takes tens of microseconds in a virtual machine. Triggers these
 * faults before the wait, so that a worker's READY=1 does not wait for them. */
static __attribute__((noinline)) void take_faults(void) {
  volatile uint8_t stack[STACK];
  for (size_t at = 0; at < sizeof stack; at += PAGE) stack[at] = 0;
  ready[0].events = 0;
}

int poller_wait(int timeout) {
  take_faults();
  int count = epoll_wait(epoll, ready, AT_ONCE, timeout);
  /* EINTR after SIGSTOP and SIGCONT; epoll_wait(2) has no other error with a valid descriptor. */
  ready_count = count > 0 ? count : 0;
  for (enum turn turn = 0; turn < TURNS; turn++) call(turn);
  ready_count = 0;
  return count;
}
