/* A worker that is ready at once and exits at SIGTERM. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  const char *notify = getenv("NOTIFY_FD");
  if (!notify || send(atoi(notify), "READY=1", 7, 0) != 7) return 1;
  for (;;) pause();
}
