#include "probe_owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_BYTES = 4096, MOST_PROCESSES = 4096, PATH_BYTES = 64, LINK_BYTES = 64 };

/* Sends a sock_diag(7) question and reads its answer's payload. Returns the length, or -1 with errno. */
static ssize_t diagnose(void *question, size_t length, uint8_t *payload) {
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

static void put_address(const struct sockaddr_storage *address, __be32 *into, __be16 *port) {
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const void *)address;
    memcpy(into, &six->sin6_addr, sizeof six->sin6_addr);
    *port = six->sin6_port;
    return;
  }
  const struct sockaddr_in *four = (const void *)address;
  into[0] = four->sin_addr.s_addr;
  *port = four->sin_port;
}

/* The other end is the socket with the same two addresses the other way round. */
static int internet_peer(int fd, uint32_t *inode) {
  struct sockaddr_storage here = {0}, there = {0};
  socklen_t here_length = sizeof here, there_length = sizeof there;
  if (getsockname(fd, (void *)&here, &here_length) < 0 || getpeername(fd, (void *)&there, &there_length) < 0) return -1;
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = (uint8_t)here.ss_family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U,
                  .id = {.idiag_cookie = {~0U, ~0U}}},
  };
  put_address(&there, question.request.id.idiag_src, &question.request.id.idiag_sport);
  put_address(&here, question.request.id.idiag_dst, &question.request.id.idiag_dport);
  uint8_t payload[ANSWER_BYTES];
  ssize_t length = diagnose(&question, sizeof question, payload);
  struct inet_diag_msg answer;
  if (length < 0) return -1;
  if ((size_t)length < sizeof answer) return errno = EPROTO, -1;
  memcpy(&answer, payload, sizeof answer);
  *inode = answer.idiag_inode;
  return 0;
}

static int unix_peer(int fd, uint32_t *inode) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
      .header = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
      .request = {.sdiag_family = AF_UNIX, .udiag_states = ~0U, .udiag_ino = (uint32_t)status.st_ino,
                  .udiag_show = UDIAG_SHOW_PEER, .udiag_cookie = {~0U, ~0U}},
  };
  uint8_t payload[ANSWER_BYTES];
  ssize_t length = diagnose(&question, sizeof question, payload);
  if (length < 0) return -1;
  for (size_t at = NLMSG_ALIGN(sizeof(struct unix_diag_msg)); at + sizeof(struct rtattr) <= (size_t)length;) {
    struct rtattr attribute;
    memcpy(&attribute, payload + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > (size_t)length) break;
    if (attribute.rta_type == UNIX_DIAG_PEER && attribute.rta_len >= RTA_LENGTH(sizeof *inode)) {
      memcpy(inode, payload + at + RTA_LENGTH(0), sizeof *inode);
      return 0;
    }
    at += RTA_ALIGN(attribute.rta_len);
  }
  errno = ENOTCONN;
  return -1;
}

int probe_peer(int fd, uint32_t *inode) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0) return -1;
  return domain == AF_UNIX ? unix_peer(fd, inode) : internet_peer(fd, inode);
}

static bool has_open(int pid, const char *wanted) {
  char path[PATH_BYTES];
  (void)snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *directory = opendir(path);
  if (!directory) return false;
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir(directory));) {
    char link[LINK_BYTES];
    ssize_t n = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
    if (n <= 0) continue;
    link[n] = '\0';
    found = strcmp(link, wanted) == 0;
  }
  (void)closedir(directory);
  return found;
}

/* Puts the children of all threads of a process behind `count` pids. Returns how many there are now. */
static size_t add_children(int pid, int *pids, size_t count) {
  char path[PATH_BYTES];
  (void)snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *directory = opendir(path);
  if (!directory) return count;
  for (struct dirent *entry; (entry = readdir(directory));) {
    char children[PATH_BYTES * 2];
    if (entry->d_name[0] == '.') continue;
    (void)snprintf(children, sizeof children, "/proc/%d/task/%.20s/children", pid, entry->d_name);
    FILE *file = fopen(children, "re");
    if (!file) continue;
    int child = 0;
    while (count < MOST_PROCESSES && fscanf(file, "%d", &child) == 1) pids[count++] = child;
    (void)fclose(file);
  }
  (void)closedir(directory);
  return count;
}

bool probe_owns(int pid, uint32_t inode) {
  char wanted[LINK_BYTES];
  (void)snprintf(wanted, sizeof wanted, "socket:[%u]", inode);
  static int pids[MOST_PROCESSES];
  pids[0] = pid;
  size_t count = 1;
  for (size_t next = 0; next < count; next++) {
    if (has_open(pids[next], wanted)) return true;
    count = add_children(pids[next], pids, count);
  }
  return false;
}
