#define _GNU_SOURCE
#include "imports.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "exports.h"
#include "guest.h"
#include "write.h"

/* Error numbers of WASI (wasi_snapshot_preview1), which differ from the system's. */
enum { WASI_BADF = 8, WASI_IO = 29 };

static bool is_fixed;
static bool was_asked;
static rejection_handler *on_rejection;

void imports_fix(void) {
  is_fixed = true;
}

bool imports_were_asked(void) {
  bool asked = was_asked;
  was_asked = false;
  return asked;
}

void imports_on_rejection(rejection_handler *handler) {
  on_rejection = handler;
}

u32 import_clock_time_get(u32 id, u64 precision, u32 out) {
  (void)precision;
  was_asked = is_fixed;
  struct timespec now = {0};
  if (!is_fixed && clock_gettime(id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now) < 0) return WASI_IO;
  u64 ns = (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
  store_u64(out, ns);
  return 0;
}

u32 import_random_get(u32 at, u32 length) {
  u8 *bytes = guest_range(at, length);
  if (bytes == NULL) return WASI_IO;
  if (is_fixed) {
    memset(bytes, 0x5a, length);
    return 0;
  }
  for (u32 done = 0; done < length;) {
    ssize_t count = getrandom(bytes + done, length - done, 0);
    if (count < 0 && errno != EINTR) return WASI_IO;
    if (count > 0) done += (u32)count;
  }
  return 0;
}

/* Seconds east of UTC at a time, for the engine's Date. The C library reads TZ and /etc/localtime. */
u32 import_host_get_timezone_offset(u32 high, u32 low) {
  time_t at = (time_t)((u64)high << 32 | low);
  struct tm local;
  was_asked = is_fixed;
  if (is_fixed || localtime_r(&at, &local) == NULL) return 0;
  return (u32)local.tm_gmtoff;
}

/* Only for output of the engine's own library: descriptors 1 and 2 only, which are the process's. */
u32 import_fd_write(u32 fd, u32 vectors, u32 count, u32 out) {
  if (fd != STDOUT_FILENO && fd != STDERR_FILENO) return WASI_BADF;
  u32 total = 0;
  for (u32 i = 0; i < count; i++) {
    if (guest_range(vectors + 8 * i, 8) == NULL) return WASI_IO;
    u32 length = load_u32(vectors + 8 * i + 4);
    const u8 *bytes = guest_range(load_u32(vectors + 8 * i), length);
    if (bytes == NULL) return WASI_IO;
    if (!write_whole((int)fd, bytes, length)) return WASI_IO;
    total += length;
  }
  store_u32(out, total);
  return 0;
}

u32 import_fd_fdstat_get(u32 fd, u32 out) {
  (void)fd;
  u8 *status = guest_range(out, 24);
  if (status == NULL) return WASI_IO;
  memset(status, 0, 24);
  return 0;
}

u32 import_fd_close(u32 fd) {
  (void)fd;
  return WASI_BADF;
}

u32 import_fd_seek(u32 fd, u64 offset, u32 whence, u32 out) {
  (void)fd;
  (void)offset;
  (void)whence;
  (void)out;
  return WASI_BADF;
}

/* The module passes the addresses of two values. The second one, the reason, is not used: the promise contains it. */
void import_host_promise_rejection(u32 promise, u32 reason, u32 handled) {
  (void)reason;
  if (on_rejection != NULL && guest_range(promise, 8) != NULL) on_rejection(load_u64(promise), handled);
}

/* Never interrupts: the keeper ends a supervisor with an endless loop. */
u32 import_host_interrupt(void) {
  return 0;
}

/* Unused: the bundle is one module, and host functions are called in another way. */
u32 import_host_module_normalize(u32 base, u32 name) {
  (void)base;
  (void)name;
  return 0;
}

u32 import_host_module_load(u32 name, u32 length) {
  (void)name;
  (void)length;
  return 0;
}

u32 import_host_call(u32 function, u32 this, u32 count, u32 arguments, u32 magic) {
  (void)function;
  (void)this;
  (void)count;
  (void)arguments;
  (void)magic;
  return 0;
}
