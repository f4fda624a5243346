#include "descriptors.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

void save_descriptor(struct buffer *out, int fd) {
  if (fd > 2) (void)fcntl(fd, F_SETFD, 0);
  buffer_u32(out, (uint32_t)fd);
}

int load_descriptor(struct reader *in) {
  int fd = read_i32(in);
  if (fd > 2) (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

void descriptors_close_on_exec(void) {
  (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}
