#include "app/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BIG_BLOCK = 64 * 1024 };

void memory_setup(void) {
  (void)mallopt(M_ARENA_MAX, 1);
  (void)mallopt(M_MMAP_THRESHOLD, BIG_BLOCK);
  (void)mallopt(M_TRIM_THRESHOLD, BIG_BLOCK);
  (void)mallopt(M_TOP_PAD, 0);
}

static void wait_for_memory(void) {
  struct timespec pause = {.tv_sec = 0, .tv_nsec = 10 * 1000 * 1000};
  (void)nanosleep(&pause, NULL);
}

void *memory_take(size_t bytes) {
  return memory_resize(NULL, bytes);
}

void *memory_take_zeroed(size_t bytes) {
  return memset(memory_take(bytes), 0, bytes);
}

void *memory_resize(void *old, size_t bytes) {
  for (;;) {
    void *block = realloc(old, bytes > 0 ? bytes : 1);
    if (block) return block;
    wait_for_memory();
  }
}

char *memory_copy_text(const char *bytes, size_t length) {
  char *text = memory_take(length + 1);
  if (length > 0) memcpy(text, bytes, length);
  text[length] = '\0';
  return text;
}

void memory_trim(void) {
  (void)malloc_trim(0);
}
