#include "main/kernel.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "app/facts.h"

#define OLDEST "5.6"

/* Whether the kernel lacks the call or a filter (seccomp(2), a container's profile) refuses it. The caller passes invalid
 * arguments, so that an available call fails with another error and has no effect. */
static bool is_missing(long result) {
  return result < 0 && (errno == ENOSYS || errno == EPERM);
}

static const char *release(struct utsname *system) {
  return uname(system) == 0 ? system->release : "unknown";
}

bool kernel_serves(void) {
  struct utsname system;
  int memory = memfd_create("crank-test", MFD_CLOEXEC);
  if (memory < 0) {
    say("needs Linux " OLDEST " or later, and a container that allows memfd_create(2): %s (this is Linux %s)", strerror(errno),
        release(&system));
    return false;
  }
  (void)close(memory);
  if (is_missing(syscall(SYS_pidfd_open, 0, 0))) {
    say("pidfd_open(2) is missing (Linux %s, or a container's filter): workers of a killed crank cannot be adopted, nor MAINPID= followed",
        release(&system));
  }
  return true;
}
