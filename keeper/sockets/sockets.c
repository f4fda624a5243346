#include "sockets/sockets.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app/admission.h"
#include "app/descriptors.h"
#include "app/files.h"
#include "protocol/events.h"
#include "protocol/frames.h"
#include "protocol/protocol.h"
#include "sockets/accept_queue.h"
#include "sockets/handles.h"
#include "sockets/inherited.h"
#include "sockets/names.h"

enum { MOST_DESCRIPTORS = 253 /* SCM_MAX_FD */, MOST_RELISTENED = 64 };

static void fail(uint8_t command, uint64_t id, const char *step, int fd) {
  (void)descriptors_drop(fd);
  events_failed(command, id, step, errno);
}

static int set_options(int fd, const struct list *options) {
  for (uint32_t i = 0; i + 2 < options->count; i += 3) {
    int level = (int)list_number(options, i);
    int name = (int)list_number(options, i + 1);
    int value = (int)list_number(options, i + 2);
    if (setsockopt(fd, level, name, &value, sizeof value) < 0) return -1;
  }
  return 0;
}

/* The path of a socket that has a file; NULL for others. `path` has room for 108 bytes and a NUL. */
static const char *socket_file(const struct command_openSocket *opening, char *path, size_t room) {
  size_t prefix = sizeof(sa_family_t);
  if (opening->domain != AF_UNIX || opening->address.length <= prefix || opening->address.data[prefix] == 0) return NULL;
  size_t length = opening->address.length - prefix;
  if (length >= room) return NULL;
  memcpy(path, opening->address.data + prefix, length);
  path[length] = '\0';
  return path;
}

static const char *bind_socket(int fd, const struct command_openSocket *opening, const char *path, struct file_identity *made) {
  struct sockaddr_storage address = {0};
  const char *step = "bind";
  if (opening->address.length > sizeof address || opening->address.length < sizeof(sa_family_t)) {
    errno = EINVAL;
    return step;
  }
  memcpy(&address, opening->address.data, opening->address.length);
  socklen_t length = (socklen_t)opening->address.length;
  if (opening->domain != AF_UNIX) return bind(fd, (struct sockaddr *)&address, length) < 0 ? step : NULL;
  struct socket_file file = {.path = path, .mode = opening->mode, .uid = opening->uid, .gid = opening->gid};
  return files_bind(fd, (struct sockaddr *)&address, length, &file, made, &step) < 0 ? step : NULL;
}

static const char *set_up(int fd, const struct command_openSocket *opening, const char *path, struct file_identity *made) {
  if (set_options(fd, &opening->options) < 0) return "option";
  const char *step = bind_socket(fd, opening, path, made);
  if (step) return step;
  if (opening->backlog > 0 && listen(fd, (int)opening->backlog) < 0) return "listen";
  return NULL;
}

void sockets_open(struct reader *fields) {
  struct command_openSocket opening = read_openSocket(fields);
  if (opening.backlog > INT_MAX) opening.backlog = INT_MAX;

  int type = (int)(opening.type & (0xff | SOCK_NONBLOCK)) | SOCK_CLOEXEC;
  int fd = socket((int)opening.domain, type, (int)opening.protocol);
  if (fd < 0) {
    fail(COMMAND_openSocket, opening.handle, "socket", -1);
    return;
  }
  char room[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
  const char *path = socket_file(&opening, room, sizeof room);
  struct file_identity made = {0};
  const char *step = set_up(fd, &opening, path, &made);
  if (!step && handles_add(opening.handle, fd, opening.backlog) < 0) step = "handle";
  if (!step && path) names_made(opening.handle, path);
  if (!step) return;
  int error = errno;
  if (made.inode != 0) files_remove_socket(path, &made);
  errno = error;
  fail(COMMAND_openSocket, opening.handle, step, fd);
}

static int socket_value(int fd, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

void sockets_inherit(struct reader *fields) {
  struct command_inheritSocket command = read_inheritSocket(fields);
  uint64_t id = command.handle;
  uint32_t number = command.fd;
  int type = inherited_has(number) ? socket_value((int)number, SO_TYPE) : -1;
  if (type < 0) {
    if (!inherited_has(number)) errno = EBADF;
    fail(COMMAND_inheritSocket, id, "descriptor", -1);
    return;
  }
  int fd = inherited_take(number);
  if (fd < 0) {
    fail(COMMAND_inheritSocket, id, "descriptor", -1);
    return;
  }
  bool is_stream = type == SOCK_STREAM || type == SOCK_SEQPACKET;
  bool listens = socket_value(fd, SO_ACCEPTCONN) == 1;
  if (is_stream && !listens && command.backlog > 0 && listen(fd, (int)command.backlog) < 0) {
    fail(COMMAND_inheritSocket, id, "listen", fd);
  } else if (handles_add(id, fd, command.backlog) < 0) {
    fail(COMMAND_inheritSocket, id, "handle", fd);
  }
}

void sockets_stat(struct reader *fields) {
  struct command_statSocket command = read_statSocket(fields);
  struct handle *handle = handles_find(command.handle);
  uint32_t queue = 0;
  uint32_t limit = 0;
  if (!handle) errno = EBADF;
  if (!handle || accept_queue(handle->fd, handle->domain, &queue, &limit) < 0) {
    fail(COMMAND_statSocket, command.request, "stat", -1);
    return;
  }
  post_event(socketStat, 0, command.request, command.handle, queue, limit);
}

/* listen(2) on a listening socket only changes its limit, for all processes that share it (inet_csk_listen_start is skipped;
 * unix_listen is similar). */
void sockets_keep_backlog(struct reader *fields) {
  struct command_keepBacklog command = read_keepBacklog(fields);
  const struct handle *handle = handles_find(command.handle);
  uint32_t backlog = command.backlog < INT_MAX ? command.backlog : INT_MAX;
  uint32_t queue = 0;
  uint32_t before = 0;
  uint32_t after = 0;
  /* Leaves a socket alone if it is shut down or its queue is unknown. */
  if (!handle || !handle->listening || accept_queue(handle->fd, handle->domain, &queue, &before) < 0 || before >= backlog) return;
  if (listen(handle->fd, (int)backlog) < 0) {
    fail(COMMAND_keepBacklog, command.handle, "listen", -1);
    return;
  }
  /* The kernel's limit (net.core.somaxconn) may be lower. */
  if (accept_queue(handle->fd, handle->domain, &queue, &after) < 0 || after <= before) return;
  post_event(backlogRestored, 0, command.handle, before, after);
}

void sockets_open_datagram(struct reader *fields) {
  struct command_openDatagram command = read_openDatagram(fields);
  uint64_t id = command.handle;
  struct span bytes = command.address;
  struct sockaddr_storage address = {0};
  if (bytes.length > sizeof address || bytes.length < sizeof(sa_family_t)) {
    errno = EINVAL;
    fail(COMMAND_openDatagram, id, "connect", -1);
    return;
  }
  memcpy(&address, bytes.data, bytes.length);
  int fd = socket((int)command.domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    fail(COMMAND_openDatagram, id, "socket", -1);
  } else if (connect(fd, (struct sockaddr *)&address, (socklen_t)bytes.length) < 0) {
    fail(COMMAND_openDatagram, id, "connect", fd);
  } else if (handles_add(id, fd, 0) < 0) {
    fail(COMMAND_openDatagram, id, "handle", fd);
  }
}

int sockets_send(const struct destination *to, struct span bytes, const struct list *handles) {
  _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.length};
  struct sockaddr_un address = to->address;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (to->length > 0) {
    message.msg_name = &address;
    message.msg_namelen = to->length;
  }
  if (handles && handles->count > MOST_DESCRIPTORS) {
    errno = EINVAL;
    return -1;
  }
  if (handles && handles->count > 0) {
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(handles->count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    header->cmsg_len = CMSG_LEN(handles->count * sizeof(int));
    for (uint32_t i = 0; i < handles->count; i++) {
      int passed = handles_fd(list_number(handles, i));
      if (passed < 0) return -1;
      memcpy(CMSG_DATA(header) + i * sizeof passed, &passed, sizeof passed);
    }
  }
  ssize_t n;
  do n = sendmsg(to->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -1 : 0;
}

void sockets_keep(struct reader *fields) {
  struct command_keepDescriptor command = read_keepDescriptor(fields);
  uint64_t id = command.handle;
  int fd = events_take_descriptor(command.event, command.index);
  if (fd < 0) fail(COMMAND_keepDescriptor, id, "descriptor", -1);
  else if (handles_add_foreign(id, fd) < 0) {
    int error = errno;
    admission_close(fd);
    errno = error;
    fail(COMMAND_keepDescriptor, id, "handle", -1);
  }
}

void sockets_store(struct reader *fields) {
  struct command_storeHandle command = read_storeHandle(fields);
  if (handles_store(command.handle, command.poll == 1) < 0) fail(COMMAND_storeHandle, command.handle, "watch", -1);
}

/* A shutdown releases a port that the kernel had chosen (tcp_set_state, inet_put_port), so the port is bound again first.
 * EINVAL: the socket is still bound. */
static int listen_again(const struct handle *handle) {
  if (handle->address_length > 0 &&
      bind(handle->fd, (const struct sockaddr *)(const void *)handle->address, handle->address_length) < 0 && errno != EINVAL)
    return -1;
  return listen(handle->fd, handle->backlog > 0 ? (int)handle->backlog : SOMAXCONN);
}

void sockets_check(struct handle *handle) {
  if (!handle->listening) return;
  if (!accept_queue_is_shut(handle->fd, handle->domain)) return;
  int error = 0;
  /* A unix socket cannot listen again after a shutdown (unix(7)): its file needs a new socket. */
  if (handle->domain == AF_UNIX) error = ESHUTDOWN;
  else if (listen_again(handle) < 0) error = errno;
  if (error != 0) handles_stop_listening(handle);
  else if (events_count(MESSAGE_relistened) >= MOST_RELISTENED) return; /* another process repeats the shutdown */
  post_event(relistened, 0, handle->id, (uint32_t)error);
}
