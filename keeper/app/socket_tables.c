#include "app/descriptors.h"
#include "app/socket_tables.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* MOST_BYTES: the kernel's limit for one answer (netlink_dump in af_netlink.c). */
enum { ANSWER_BYTES = 4096, MOST_BYTES = 32 * 1024 };

/* Sends a request to the kernel and copies the answer's payload to `payload` (ANSWER_BYTES). Returns the length, or -1 with
 * errno. */
static ssize_t ask(const void *question, size_t length, uint8_t *payload) {
  SCOPED_FD netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
  /* The kernel has queued the answer before send() returns. */
  ssize_t n = send(netlink, question, length, 0) < 0 ? -1 : recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
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

/* The value of an attribute; NULL with errno if it is missing. */
static const uint8_t *find_attribute(const uint8_t *at, size_t left, uint16_t wanted, size_t *size) {
  errno = ENODATA;
  while (left >= sizeof(struct rtattr)) {
    struct rtattr attribute;
    memcpy(&attribute, at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > left) return NULL;
    if (attribute.rta_type == wanted) {
      *size = attribute.rta_len - RTA_LENGTH(0);
      return at + RTA_LENGTH(0);
    }
    size_t step = RTA_ALIGN(attribute.rta_len);
    if (step > left) return NULL;
    at += step;
    left -= step;
  }
  return NULL;
}

int socket_tables_unix(uint32_t inode, uint32_t show, uint16_t attribute, void *into, size_t size) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request =
          {.sdiag_family = AF_UNIX, .udiag_states = ~0U, .udiag_ino = inode, .udiag_show = show, .udiag_cookie = {~0U, ~0U}},
  };
  uint8_t payload[ANSWER_BYTES];
  ssize_t length = ask(&question, sizeof question, payload);
  if (length < 0) return -1;
  size_t fixed = NLMSG_ALIGN(sizeof(struct unix_diag_msg));
  errno = EPROTO;
  if ((size_t)length < fixed) return -1;
  size_t found = 0;
  const uint8_t *value = find_attribute(payload + fixed, (size_t)length - fixed, attribute, &found);
  if (!value) return -1;
  if (found < size) {
    errno = ENODATA;
    return -1;
  }
  memcpy(into, value, size);
  return 0;
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

typedef void take_payload(const uint8_t *payload, size_t length, void *context);

/* Handles the messages of one read: 1 if more follow, 0 if that was all, -1 with errno. */
static int take_messages(const uint8_t *bytes, size_t left, take_payload *take, void *context) {
  const struct nlmsghdr *header = (const void *)bytes;
  for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type == NLMSG_DONE) return 0;
    if (header->nlmsg_type == NLMSG_ERROR) {
      const struct nlmsgerr *trouble = NLMSG_DATA(header);
      errno = header->nlmsg_len >= NLMSG_LENGTH(sizeof *trouble) ? -trouble->error : EPROTO;
      return -1;
    }
    take(NLMSG_DATA(header), header->nlmsg_len - NLMSG_LENGTH(0), context);
  }
  return 1;
}

static int ask_for_all(const void *question, size_t length, take_payload *take, void *context) {
  SCOPED_FD netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -1;
  int result = send(netlink, question, length, 0) < 0 ? -1 : 1;
  while (result == 1) {
    static _Alignas(struct nlmsghdr) uint8_t answer[MOST_BYTES];
    ssize_t n = recv(netlink, answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    result = n <= 0 ? -1 : take_messages(answer, (size_t)n, take, context);
  }
  return result;
}

struct takes_tcp {
  socket_tables_take_tcp *take;
  void *context;
};

static void take_tcp(const uint8_t *payload, size_t length, void *context) {
  const struct takes_tcp *taker = context;
  struct inet_diag_msg found;
  if (length < sizeof found) return;
  memcpy(&found, payload, sizeof found);
  taker->take(&found, taker->context);
}

int socket_tables_each_tcp(const struct inet_diag_req_v2 *request, socket_tables_take_tcp *take, void *context) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
      .request = *request,
  };
  question.request.sdiag_protocol = IPPROTO_TCP;
  struct takes_tcp taker = {.take = take, .context = context};
  return ask_for_all(&question, sizeof question, take_tcp, &taker);
}

struct takes_unix {
  socket_tables_take_unix *take;
  void *context;
};

static void take_unix(const uint8_t *payload, size_t length, void *context) {
  const struct takes_unix *taker = context;
  struct unix_diag_msg found;
  size_t fixed = NLMSG_ALIGN(sizeof found);
  if (length < fixed) return;
  memcpy(&found, payload, sizeof found);
  size_t size = 0;
  const uint8_t *name = find_attribute(payload + fixed, length - fixed, UNIX_DIAG_NAME, &size);
  taker->take(found.udiag_ino, name, name ? size : 0, taker->context);
}

int socket_tables_each_unix(uint32_t states, socket_tables_take_unix *take, void *context) {
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
      .request = {.sdiag_family = AF_UNIX, .udiag_states = states, .udiag_show = UDIAG_SHOW_NAME, .udiag_cookie = {~0U, ~0U}},
  };
  struct takes_unix taker = {.take = take, .context = context};
  return ask_for_all(&question, sizeof question, take_unix, &taker);
}
