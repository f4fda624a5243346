#include "sockets/accept_queue.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/socket_tables.h"

/* In the state LISTEN, these two fields are the length and the limit of the accept queue (tcp_get_info in the kernel,
 * ss(8)). */
static int tcp_queue(int fd, uint32_t *queue, uint32_t *limit) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
  if (info.tcpi_state != TCP_LISTEN) {
    errno = EINVAL;
    return -1;
  }
  *queue = info.tcpi_unacked;
  *limit = info.tcpi_sacked;
  return 0;
}

static int unix_queue(int fd, uint32_t *queue, uint32_t *limit) {
  struct stat status;
  struct unix_diag_rqlen lengths;
  if (fstat(fd, &status) < 0) return -1;
  if (socket_tables_unix((uint32_t)status.st_ino, UDIAG_SHOW_RQLEN, UNIX_DIAG_RQLEN, &lengths, sizeof lengths) < 0) return -1;
  *queue = lengths.udiag_rqueue;
  *limit = lengths.udiag_wqueue;
  return 0;
}

int accept_queue(int fd, uint32_t domain, uint32_t *queue, uint32_t *limit) {
  if (domain == AF_INET || domain == AF_INET6) return tcp_queue(fd, queue, limit);
  if (domain == AF_UNIX) return unix_queue(fd, queue, limit);
  errno = EOPNOTSUPP;
  return -1;
}

bool accept_queue_is_shut(int fd, uint32_t domain) {
  if (domain == AF_UNIX) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLRDHUP | POLLHUP));
  }
  int accepts = 1;
  socklen_t length = sizeof accepts;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && !accepts;
}
