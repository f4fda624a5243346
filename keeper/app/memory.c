#include "app/memory.h"

#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

/* The first page that holds only what is taken from here: what the C library took before is below, the main thread's variables
 * for example. None before memory_setup. */
static char *heap = (char *)UINTPTR_MAX;

enum { BIG_BLOCK = 64 * 1024, TOP_PAD = 256 * 1024 };

void memory_setup(void) {
  (void)mallopt(M_ARENA_MAX, 1);
  (void)mallopt(M_MMAP_THRESHOLD, BIG_BLOCK);
  (void)mallopt(M_TRIM_THRESHOLD, TOP_PAD + BIG_BLOCK);
  /* In large steps: each one is a mapping of its own, because of the flag that memory_fork sets. */
  (void)mallopt(M_TOP_PAD, TOP_PAD);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  char *first = memory_take(1);
  heap = first + (page - (uintptr_t)first % page);
  free(first);
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

/* The capacity is the next power of two, so that it need not be stored. */
void *memory_grow(void *array, uint32_t count, size_t item) {
  bool is_full = (count & (count - 1)) == 0;
  return is_full ? memory_resize(array, (count == 0 ? 1 : 2 * (size_t)count) * item) : array;
}

void memory_free_scoped(char *const *text) {
  int error = errno;
  free(*text);
  errno = error;
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

static char *withheld_to; /* the heap up to here is in no fork; NULL: all of it is */

pid_t memory_fork(void) {
  char *end = sbrk(0);
  /* Rarely: a call for each fork costs as much as copying some pages. */
  if (end > heap && end != withheld_to) {
    (void)madvise(heap, (size_t)(end - heap), MADV_WIPEONFORK);
    withheld_to = end;
  }
  /* The system call, because fork(3) would also write to the heap's and the streams' locks. */
  return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

pid_t memory_fork_whole(void) {
  char *end = sbrk(0);
  if (end > heap) (void)madvise(heap, (size_t)(end - heap), MADV_KEEPONFORK);
  withheld_to = NULL;
  return fork();
}
