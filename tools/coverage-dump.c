/* Linked into build/crank-coverage only. gcov writes its counters at exit, but the tests end keepers by SIGKILL. So
 * they are also written before each wait and before _exit(2). */
#include <sys/epoll.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);
int __real_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

/* gcov adds the counters to those in the files, so they are reset after each dump. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout) {
  if (timeout != 0) {
    __gcov_dump();
    __gcov_reset();
  }
  return __real_epoll_wait(epoll, events, room, timeout);
}

_Noreturn void __wrap__exit(int status) {
  __gcov_dump();
  __real__exit(status);
}
