#include "accept_queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the state LISTEN these two fields are the accept queue's length and limit (tcp_get_info in the kernel, and ss(8)). */
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

static int ask_diag(int netlink, uint32_t inode) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } ask = {
      .header = {.nlmsg_len = sizeof ask, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = AF_UNIX, .udiag_states = ~0U, .udiag_ino = inode, .udiag_show = UDIAG_SHOW_RQLEN,
                  .udiag_cookie = {~0U, ~0U}},
  };
  return send(netlink, &ask, sizeof ask, 0) < 0 ? -1 : 0;
}

static int read_diag(const uint8_t *bytes, size_t length, uint32_t *queue, uint32_t *limit) {
  const struct nlmsghdr *header = (const void *)bytes;
  errno = EPROTO;
  if (!NLMSG_OK(header, length)) return -1;
  if (header->nlmsg_type == NLMSG_ERROR) {
    const struct nlmsgerr *error = NLMSG_DATA(header);
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof *error)) errno = -error->error;
    return -1;
  }
  const struct unix_diag_msg *answer = NLMSG_DATA(header);
  if (header->nlmsg_len < NLMSG_LENGTH(sizeof *answer)) return -1;
  const uint8_t *at = (const uint8_t *)(answer + 1);
  size_t left = header->nlmsg_len - NLMSG_LENGTH(sizeof *answer);
  while (left >= sizeof(struct rtattr)) {
    struct rtattr attribute;
    memcpy(&attribute, at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > left) return -1;
    struct unix_diag_rqlen lengths;
    if (attribute.rta_type == UNIX_DIAG_RQLEN && attribute.rta_len >= RTA_LENGTH(sizeof lengths)) {
      memcpy(&lengths, at + RTA_LENGTH(0), sizeof lengths);
      *queue = lengths.udiag_rqueue;
      *limit = lengths.udiag_wqueue;
      return 0;
    }
    size_t step = RTA_ALIGN(attribute.rta_len);
    if (step > left) return -1;
    at += step;
    left -= step;
  }
  return -1;
}

static int unix_queue(int fd, uint32_t *queue, uint32_t *limit) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  _Alignas(struct nlmsghdr) uint8_t answer[1024];
  int result = ask_diag(netlink, (uint32_t)status.st_ino);
  if (result == 0) {
    /* The kernel has put the answer there before send() returned. */
    ssize_t n = recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
    result = n < 0 ? -1 : read_diag(answer, (size_t)n, queue, limit);
  }
  int error = errno;
  (void)close(netlink);
  errno = error;
  return result;
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
