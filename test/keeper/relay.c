/* In the place of a runtime: passes everything between descriptor 3, where the keeper speaks, and the unix socket that
 * the environment names in CRANK_TEST_SOCKET, where a test listens and plays the supervisor. Its first line is its pid. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Copies what is there; 0 at the end. Both ends may be non-blocking, so what does not go is waited for. */
static int copy(int from, int to) {
  char bytes[65536];
  ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n <= 0) return n < 0;
  for (ssize_t sent = 0; sent < n;) {
    ssize_t done = send(to, bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);
    if (done > 0) sent += done;
    else if (poll(&(struct pollfd){.fd = to, .events = POLLOUT}, 1, 10000) <= 0) return 0;
  }
  return 1;
}

int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = getenv("CRANK_TEST_SOCKET");
  if (!path || strlen(path) >= sizeof address.sun_path) return 1;
  strcpy(address.sun_path, path);
  int test = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (test < 0 || connect(test, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  char line[16];
  int length = snprintf(line, sizeof line, "%d\n", getpid());
  if (send(test, line, (size_t)length, MSG_NOSIGNAL) != length) return 1;
  struct pollfd ends[] = {{.fd = 3, .events = POLLIN}, {.fd = test, .events = POLLIN}};
  while (poll(ends, 2, -1) > 0) {
    if (ends[0].revents && !copy(3, test)) return 0;
    if (ends[1].revents && !copy(test, 3)) return 0;
  }
  return 1;
}
