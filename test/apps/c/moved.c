/* A worker that closes descriptor 3 and listens on its own port at once, without READY=1, for tests in which it is ready
 * after a delay. */
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
