#include "socket_tables.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 4096 };

/* Puts a question to the kernel, and its answer's payload into ANSWER_BYTES bytes. Returns the length, or -1 with errno. */
static ssize_t ask(const void *question, size_t length, uint8_t *payload) {
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
  /* The kernel has put the answer there before send() returned. */
  ssize_t n = send(netlink, question, length, 0) < 0 ? -1 : recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
  int error = errno;
  (void)close(netlink);
  errno = error;
  if (n < 0) return -1;
  const struct nlmsghdr *header = (const void *)answer;
  errno = EPROTO;
  if (!NLMSG_OK(header, (size_t)n)) return -1;
  if (header->nlmsg_type == NLMSG_ERROR) {
    const struct nlmsgerr *trouble = NLMSG_DATA(header);
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof *trouble)) errno = -trouble->error;
    return -1;
  }
  size_t size = header->nlmsg_len - NLMSG_LENGTH(0);
  memcpy(payload, NLMSG_DATA(header), size);
  return (ssize_t)size;
}

static int find_attribute(const uint8_t *at, size_t left, uint16_t wanted, void *into, size_t size) {
  errno = ENODATA;
  while (left >= sizeof(struct rtattr)) {
    struct rtattr attribute;
    memcpy(&attribute, at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > left) return -1;
    if (attribute.rta_type == wanted && attribute.rta_len >= RTA_LENGTH(size)) {
      memcpy(into, at + RTA_LENGTH(0), size);
      return 0;
    }
    size_t step = RTA_ALIGN(attribute.rta_len);
    if (step > left) return -1;
    at += step;
    left -= step;
  }
  return -1;
}

int socket_tables_unix(uint32_t inode, uint32_t show, uint16_t attribute, void *into, size_t size) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = AF_UNIX, .udiag_states = ~0U, .udiag_ino = inode, .udiag_show = show,
                  .udiag_cookie = {~0U, ~0U}},
  };
  uint8_t payload[ANSWER_BYTES];
  ssize_t length = ask(&question, sizeof question, payload);
  if (length < 0) return -1;
  size_t fixed = NLMSG_ALIGN(sizeof(struct unix_diag_msg));
  errno = EPROTO;
  if ((size_t)length < fixed) return -1;
  return find_attribute(payload + fixed, (size_t)length - fixed, attribute, into, size);
}

int socket_tables_tcp(struct inet_diag_req_v2 *request, struct inet_diag_msg *answer) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = *request,
  };
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = ~0U;
  memset(question.request.id.idiag_cookie, 0xff, sizeof question.request.id.idiag_cookie);
  uint8_t payload[ANSWER_BYTES];
  ssize_t length = ask(&question, sizeof question, payload);
  if (length < 0) return -1;
  errno = EPROTO;
  if ((size_t)length < sizeof *answer) return -1;
  memcpy(answer, payload, sizeof *answer);
  return 0;
}
