#include "output-pages.h"

#include <sys/mman.h>
#include <time.h>

char *pages_take(size_t bytes) {
  for (;;) {
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages != MAP_FAILED) return pages;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 10 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
  }
}

void pages_free(char *pages, size_t bytes) {
  // Fails only for arguments that are not what pages_take gave.
  if (pages) (void)munmap(pages, bytes);
}
