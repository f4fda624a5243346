#define _GNU_SOURCE
#include "heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "terminal.h"
#include "wasm.h"

#define HUGE_PAGE ((size_t)2 << 20)
/* The range of a 32-bit address plus a 32-bit offset, plus the eight bytes of the widest access. */
#define WINDOW_END (WASM_MEMORY + (2ul << 32) + 8)
/* For a stack without a limit; and the kernel's stack_guard_gap, 256 pages, doubled. */
#define MOST_STACK_BYTES ((uintptr_t)1 << 30)
#define STACK_GAP_BYTES ((uintptr_t)2 << 20)

u32 wasm_memory_pages;
/* The end of the mapped memory. It may be a little after the last page, because the last huge page may not be full. */
static size_t mapped;

static _Noreturn void stop(const char *what) {
  terminal_give_back(); /* first, so that the message appears on the normal screen */
  static const char start[] = "crank: the JavaScript engine has failed: ";
  ssize_t ignored = write(STDERR_FILENO, start, sizeof start - 1);
  ignored = write(STDERR_FILENO, what, strlen(what));
  ignored = write(STDERR_FILENO, ".\n", 2);
  (void)ignored;
  _exit(BROKEN);
}

_Noreturn void wasm_trap(enum wasm_trap trap) {
  static const char *const names[] = {
      [TRAP_UNREACHABLE] = "it reached an impossible state",
      [TRAP_DIVISION_BY_ZERO] = "it divided by zero",
      [TRAP_INTEGER_OVERFLOW] = "a number is too large for an integer",
      [TRAP_INVALID_CONVERSION] = "it converted a value that is not a number to an integer",
      [TRAP_INDIRECT_CALL] = "it called a function that does not exist",
      [TRAP_OUT_OF_BOUNDS] = "it copied beyond the end of its memory",
  };
  stop(names[trap]);
}

/* MAP_FIXED_NOREPLACE needs Linux 4.17. Older kernels treat the address as a hint, so the result is checked. */
static int map_at(size_t from, size_t length, int flags, int fd, off_t at) {
  if (length == 0) return 0;
  void *wanted = (void *)(WASM_MEMORY + from);
  void *got = mmap(wanted, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED_NOREPLACE | flags, fd, at);
  if (got == MAP_FAILED) return -1;
  if (got != wanted) {
    (void)munmap(got, length);
    errno = EEXIST;
    return -1;
  }
  if (from + length > mapped) mapped = from + length;
  return 0;
}

int heap_map(size_t from, size_t length) {
  return map_at(from, length, MAP_ANONYMOUS, -1, 0);
}

int heap_map_file(size_t from, size_t length, int fd, off_t at) {
  /* Populated at once: a supervisor writes to at least two of five pages, and a fault costs more than copying its page. */
  return map_at(from, length, MAP_POPULATE, fd, at);
}

int heap_map_huge(size_t from, size_t length) {
  size_t whole = (length - from + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  if (heap_map(0, from + whole) < 0) return -1;
  /* Without huge pages this is normal memory. */
  (void)madvise((void *)(WASM_MEMORY + from), whole, MADV_HUGEPAGE);
  return 0;
}

/* Documentation/admin-guide/mm/transhuge.rst: in `always [madvise] never` the active value is in brackets. */
bool heap_has_huge_pages(void) {
  char text[64] = "";
  int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, text, sizeof text - 1);
  (void)close(fd);
  return length > 0 && strstr(text, "[never]") == NULL;
}

u32 wasm_memory_grow(u32 pages) {
  u32 before = wasm_memory_pages;
  if (pages > HEAP_MOST_PAGES - before) stop("it needs more than 256 MiB of memory");
  size_t end = ((size_t)before + pages) * WASM_PAGE;
  if (end > mapped && heap_map(mapped, end - mapped) < 0)
    stop(errno == EEXIST ? "its memory cannot grow, because the address range is in use" : "the system has no more memory");
  wasm_memory_pages = before + pages;
  return before;
}

/* A stack address of this process from its start. */
static uintptr_t stack_start;

/* Whether the address is below that, within the stack's limit and guard gap. */
static bool is_below_stack(uintptr_t at) {
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  (void)getrlimit(RLIMIT_STACK, &limit);
  uintptr_t most = limit.rlim_cur < MOST_STACK_BYTES ? limit.rlim_cur : MOST_STACK_BYTES;
  return at < stack_start && stack_start - at < most + STACK_GAP_BYTES;
}

static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  uintptr_t at = (uintptr_t)info->si_addr;
  if (info->si_code <= 0) stop("a process sent it the signal of a fault");
  if (at >= WASM_MEMORY && at < WINDOW_END)
    stop("it accessed an address outside of its memory, or the file of its image is cut off");
  if (is_below_stack(at)) stop("it ran out of stack");
  stop("it has a fault, or the file of the program is cut off");
}

void heap_guard(void) {
  /* A separate stack for the handler, because the normal one may be exhausted. */
  static char other[32 * 1024];
  stack_start = (uintptr_t)__builtin_frame_address(0);
  stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
  (void)sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  (void)sigaction(SIGSEGV, &action, NULL);
  (void)sigaction(SIGBUS, &action, NULL);
}
