#include "app/pages.h"

#include <sys/mman.h>
#include <time.h>

static char *map(size_t bytes) {
  void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? NULL : pages;
}

char *pages_take(size_t bytes) {
  size_t taken;
  return pages_take_some(bytes, bytes, &taken);
}

char *pages_take_some(size_t most, size_t least, size_t *taken) {
  for (;;) {
    *taken = most;
    char *pages = map(most);
    if (pages) return pages;
    *taken = least;
    pages = map(least);
    if (pages) return pages;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 10 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
  }
}

void pages_free(char *pages, size_t bytes) {
  // Fails only for arguments that are not what pages_take gave.
  if (pages) (void)munmap(pages, bytes);
}
