/* Stream connections. Nothing here blocks. getent(1) resolves host names, because a static program cannot load the system's
 * name service. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/host.h"

static value connected(int family, const void *address, socklen_t length) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return result_of(-1);
  if (connect(fd, address, length) == 0 || errno == EINPROGRESS) return value_int(fd);
  int error = errno;
  (void)close(fd);
  return value_int(-error);
}

static value sockets_connect_unix(struct arguments *in) {
  const char *path = take_text(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length == 0) return value_int(-ENOENT);
  if (length >= sizeof address.sun_path) return value_int(-ENAMETOOLONG);
  memcpy(address.sun_path, path, length);
  return connected(AF_UNIX, &address, sizeof address);
}

/* connectTcp(literal address, port): connected when it becomes writable, unless socketError reports an error */
static value sockets_connect_tcp(struct arguments *in) {
  const char *host = take_text(in, 0);
  in_port_t port = htons((u16)take_int(in, 1, 0, 65535));
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = port};
  if (inet_pton(AF_INET, host, &ipv4.sin_addr) == 1) return connected(AF_INET, &ipv4, sizeof ipv4);
  /* An address may have a scope: fe80::1%eth0. */
  struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = port};
  char plain[INET6_ADDRSTRLEN];
  size_t length = strcspn(host, "%");
  if (length >= sizeof plain) return value_int(-EINVAL);
  memcpy(plain, host, length);
  plain[length] = '\0';
  if (host[length] == '%') ipv6.sin6_scope_id = if_nametoindex(host + length + 1);
  if (inet_pton(AF_INET6, plain, &ipv6.sin6_addr) != 1) return value_int(-EINVAL);
  return connected(AF_INET6, &ipv6, sizeof ipv6);
}

static value sockets_error(struct arguments *in) {
  int fd = take_fd(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return result_of(-1);
  return value_int(-error);
}

/* send(fd, bytes, start, length) */
static value sockets_send(struct arguments *in) {
  int fd = take_fd(in, 0);
  struct bytes bytes = take_part(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(send(fd, bytes.at, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static value sockets_receive(struct arguments *in) {
  int fd = take_fd(in, 0);
  struct bytes bytes = take_part(in, 1);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(recv(fd, bytes.at, bytes.length, MSG_DONTWAIT));
}

/* Ends sending; receiving continues. */
static value sockets_end(struct arguments *in) {
  int fd = take_fd(in, 0);
  if (!are_right(in)) return VALUE_UNDEFINED;
  return result_of(shutdown(fd, SHUT_WR));
}

const struct host_function host_sockets[] = {
    {"connectUnix", 1, sockets_connect_unix},
    {"connectTcp", 2, sockets_connect_tcp},
    {"socketError", 1, sockets_error},
    {"send", 4, sockets_send},
    {"receive", 4, sockets_receive},
    {"endSending", 1, sockets_end},
    {0},
};
