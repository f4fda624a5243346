#include "write.h"

#include <errno.h>
#include <unistd.h>

bool write_whole(int fd, const void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t count = write(fd, (const char *)bytes + done, length - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += (size_t)count;
  }
  return true;
}
