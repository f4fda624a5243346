#include "helpers/probe_owner.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "app/socket_tables.h"

enum { MOST_PROCESSES = 4096, PATH_BYTES = 64, LINK_BYTES = 64 };

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

/* The peer socket has the same two addresses, swapped. */
static int internet_peer(int fd, uint32_t *inode) {
  struct sockaddr_storage here = {0}, there = {0};
  socklen_t here_length = sizeof here, there_length = sizeof there;
  if (getsockname(fd, (void *)&here, &here_length) < 0 || getpeername(fd, (void *)&there, &there_length) < 0) return -1;
  struct inet_diag_req_v2 request = {.sdiag_family = (uint8_t)here.ss_family};
  put_address(&there, request.id.idiag_src, &request.id.idiag_sport);
  put_address(&here, request.id.idiag_dst, &request.id.idiag_dport);
  struct inet_diag_msg answer;
  if (socket_tables_tcp(&request, &answer) < 0) return -1;
  *inode = answer.idiag_inode;
  return 0;
}

static int unix_peer(int fd, uint32_t *inode) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  return socket_tables_unix((uint32_t)status.st_ino, UDIAG_SHOW_PEER, UNIX_DIAG_PEER, inode, sizeof *inode);
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

/* Appends the children of all threads of a process to the first `count` pids. Returns the new number. */
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

static int pids[MOST_PROCESSES];

int probe_child(void) {
  return add_children(getpid(), pids, 0) > 0 ? pids[0] : 0;
}

bool probe_owns(int pid, uint32_t inode) {
  char wanted[LINK_BYTES];
  (void)snprintf(wanted, sizeof wanted, "socket:[%u]", inode);
  pids[0] = pid;
  size_t count = 1;
  for (size_t next = 0; next < count; next++) {
    if (has_open(pids[next], wanted)) return true;
    count = add_children(pids[next], pids, count);
  }
  return false;
}
