/* The fetching process: forked, so only async-signal-safe calls. It keeps only the keeper's descriptors that it needs, ends
 * with the keeper, and is killed when it takes too long. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "app/admission.h"
#include "app/descriptors.h"
#include "process/peek.h"
#include "process/processes.h"
#include "protocol/protocol.h"
#include "sockets/fetch_child.h"

enum { MOST_DATAGRAMS = 16 }; /* then the keeper checks again */

static void pack_descriptors(struct msghdr *message, void *control, const int *fds, uint32_t count) {
  if (count == 0) return;
  size_t size = count * sizeof *fds;
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(size);
  memset(control, 0, message->msg_controllen);
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size)};
  memcpy(CMSG_DATA(header), fds, size);
}

static bool tell(int channel, struct fetch_head *head, const struct iovec *bytes, const int *fds, uint32_t count) {
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FETCH_MOST_DESCRIPTORS * sizeof(int))];
  struct iovec parts[2] = {{.iov_base = head, .iov_len = sizeof *head}, *bytes};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = bytes->iov_len > 0 ? 2 : 1};
  pack_descriptors(&message, control, fds, count);
  ssize_t n;
  do n = sendmsg(channel, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n >= 0;
}

static void begin(int channel, int other) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  int kept[] = {channel, other};
  (void)descriptors_close_but(kept, 2);
  peek_without_reader();
}

static uint32_t descriptors_of(struct msghdr *message, struct ucred *sender, int *fds) {
  uint32_t count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    size_t length = header->cmsg_len - CMSG_LEN(0);
    if (header->cmsg_type == SCM_CREDENTIALS && length >= sizeof *sender) memcpy(sender, CMSG_DATA(header), sizeof *sender);
    if (header->cmsg_type != SCM_RIGHTS) continue;
    count = (uint32_t)(length / sizeof *fds);
    memcpy(fds, CMSG_DATA(header), count * sizeof *fds);
  }
  return count;
}

/* Receives one datagram; false if none is waiting. Descriptors that the keeper must not hold are closed after the report,
 * because closing them may block forever. */
static bool receive_one(int channel, int socket) {
  uint8_t bytes[LIMIT_DATAGRAM_BYTES];
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FETCH_MOST_DESCRIPTORS * sizeof(int))];
  struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n;
  do n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return false;
  struct fetch_head head = {.kind = FETCH_DATAGRAM, .sender = {.uid = UNCHANGED, .gid = UNCHANGED}};
  int fds[FETCH_MOST_DESCRIPTORS];
  int kept[FETCH_MOST_DESCRIPTORS];
  uint32_t count = descriptors_of(&message, &head.sender, fds);
  uint32_t kept_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (admission_allows(fds[i])) kept[kept_count++] = fds[i];
  }
  head.flags = (uint32_t)message.msg_flags;
  head.lost = count - kept_count;
  struct iovec said = {.iov_base = bytes, .iov_len = (size_t)n};
  bool is_told = tell(channel, &head, &said, kept, kept_count);
  for (uint32_t i = 0; i < count; i++) (void)close(fds[i]);
  return is_told;
}

_Noreturn void fetch_child_receive(int channel, int socket) {
  begin(channel, socket);
  for (int i = 0; i < MOST_DATAGRAMS && receive_one(channel, socket); i++) continue;
  _exit(0);
}

/* The kernel then requires of this process what it requires of that user's processes: the same ids, and a target that may be
 * traced (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS). A target that has executed a set-id program may not. */
static int become(const struct fetch_target *target) {
  if (target->uid == UNCHANGED || target->uid == geteuid()) return 0;
  /* System calls, because the C library's functions would signal the keeper's other threads, which do not exist here
   * (nptl(7)). */
  if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, target->gid, target->gid, target->gid) < 0) return -1;
  return (int)syscall(SYS_setresuid, target->uid, target->uid, target->uid);
}

int fetch_take(const struct fetch_target *target, const char **step) {
  *step = "process";
  SCOPED_FD process = processes_open(target->pid, target->start_time);
  if (process < 0) return -1;
  errno = EPERM;
  if (!processes_has_ids(target->pid, target->uid, target->gid)) return -1;
  *step = "descriptor";
  int fd = (int)syscall(SYS_pidfd_getfd, process, target->number, 0);
  if (fd < 0) return -1;
  /* Between the two checks the process may have executed another program and have another user now. */
  bool is_still =
      processes_start_time(target->pid) == target->start_time && processes_has_ids(target->pid, target->uid, target->gid);
  if (is_still) return fd;
  *step = "process";
  errno = EPERM;
  return descriptors_drop(fd);
}

_Noreturn void fetch_child_take(int channel, const struct fetch_target *target) {
  begin(channel, channel);
  const char *step = "user";
  int fd = become(target) < 0 ? -1 : fetch_take(target, &step);
  struct fetch_head head = {.kind = FETCH_FAILED, .error = errno};
  if (fd >= 0 && admission_allows(fd)) head.kind = FETCH_TAKEN;
  else if (fd >= 0) {
    step = "descriptor";
    head.error = EXDEV;
  }
  if (head.kind == FETCH_FAILED) strncpy(head.step, step, sizeof head.step - 1);
  const struct iovec none = {0};
  (void)tell(channel, &head, &none, &fd, head.kind == FETCH_TAKEN ? 1 : 0);
  _exit(0);
}
