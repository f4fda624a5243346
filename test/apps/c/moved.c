/* A worker that closes descriptor 3, listens on a port of its own, and says nothing. It does so at once, for tests in which it
 * counts as ready after a time. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  (void)close(3);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0) return 1;
  for (;;) (void)pause();
}
