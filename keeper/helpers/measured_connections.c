/* Which worker holds which connection. The kernel's socket tables have each connection's inode, but not its process.
 * /proc/PID/fd has a process's inodes, but not what they are. So the inodes of the socket tables go into a hash table, and
 * those of the processes are looked up in it. */
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "app/clock.h"
#include "app/memory.h"
#include "app/socket_tables.h"
#include "helpers/measured.h"
#include "process/peek.h"

enum { PATH_BYTES = 32, LINK_BYTES = 32, FIRST_ROOM = 1024, LOOK_AT_CLOCK_EVERY = 4096 };

/* A connection that a process holds is in one of these states. One that is not accepted yet, or closed, has no inode. */
static const uint32_t held_states = 1U << TCP_ESTABLISHED | 1U << TCP_FIN_WAIT1 | 1U << TCP_FIN_WAIT2 | 1U << TCP_CLOSE_WAIT;

struct connection {
  uint32_t inode; /* 0: free */
  uint32_t socket;
  uint32_t counted_for; /* index + 1 of the last worker that it was counted for */
};

static struct connection *table;
static size_t room; /* a power of two */
static size_t held;
static struct measured_socket *sockets;
static size_t socket_count;

static struct connection *place_of(uint32_t inode) {
  size_t at = (size_t)(inode * 2654435761U) & (room - 1);
  while (table[at].inode != 0 && table[at].inode != inode) at = (at + 1) & (room - 1);
  return &table[at];
}

static void grow(void) {
  struct connection *old = table;
  size_t old_room = room;
  room = room == 0 ? FIRST_ROOM : room * 2;
  table = memory_take_zeroed(room * sizeof *table);
  for (size_t i = 0; i < old_room; i++) {
    if (old[i].inode != 0) *place_of(old[i].inode) = old[i];
  }
  free(old);
}

static void add(uint32_t inode, size_t socket_index) {
  if (inode == 0) return;
  if (held * 2 >= room) grow();
  struct connection *place = place_of(inode);
  if (place->inode != 0) return;
  *place = (struct connection){.inode = inode, .socket = (uint32_t)socket_index};
  held++;
}

static uint16_t port_of(const struct measured_socket *socket) {
  if (socket->domain == AF_INET6) return ((const struct sockaddr_in6 *)&socket->address)->sin6_port;
  return ((const struct sockaddr_in *)&socket->address)->sin_port;
}

/* How well a listening address matches a connection's local address: 2 equal, 1 wildcard, 0 different. */
static int fit(const struct measured_socket *socket, const struct inet_diag_msg *found) {
  if (socket->domain == AF_INET6) {
    const struct in6_addr *address = &((const struct sockaddr_in6 *)&socket->address)->sin6_addr;
    if (memcmp(address, found->id.idiag_src, sizeof *address) == 0) return 2;
    return IN6_IS_ADDR_UNSPECIFIED(address) ? 1 : 0;
  }
  uint32_t address = ((const struct sockaddr_in *)&socket->address)->sin_addr.s_addr;
  if (address == found->id.idiag_src[0]) return 2;
  return address == htonl(INADDR_ANY) ? 1 : 0;
}

static void take_internet(const struct inet_diag_msg *found, void *context) {
  (void)context;
  int best = 0;
  size_t chosen = 0;
  for (size_t i = 0; i < socket_count; i++) {
    const struct measured_socket *socket = &sockets[i];
    if (!socket->has_connections || socket->domain != found->idiag_family || port_of(socket) != found->id.idiag_sport) continue;
    int fits = fit(socket, found);
    if (fits <= best) continue;
    best = fits;
    chosen = i;
  }
  if (best > 0) add(found->idiag_inode, chosen);
}

/* An accepted connection has the name of its listening socket (unix(7)). */
static void take_unix(uint32_t inode, const uint8_t *name, size_t length, void *context) {
  (void)context;
  for (size_t i = 0; length > 0 && i < socket_count; i++) {
    const struct measured_socket *socket = &sockets[i];
    const struct sockaddr *address = (const void *)&socket->address;
    if (!socket->has_connections || socket->domain != AF_UNIX) continue;
    if (socket->length != length + sizeof address->sa_family || memcmp(address->sa_data, name, length) != 0) continue;
    add(inode, i);
    return;
  }
}

/* One query returns the connections of all sockets with the same port. */
static bool is_looked_at(size_t index) {
  const struct measured_socket *socket = &sockets[index];
  for (size_t i = 0; i < index; i++) {
    const struct measured_socket *other = &sockets[i];
    if (!other->has_connections || other->domain != socket->domain) continue;
    if (socket->domain == AF_UNIX || port_of(other) == port_of(socket)) return true;
  }
  return false;
}

bool measured_connections_learn(struct measured_socket *given, size_t count) {
  sockets = given;
  socket_count = count;
  grow();
  for (size_t i = 0; i < count; i++) {
    const struct measured_socket *socket = &sockets[i];
    if (!socket->has_connections || is_looked_at(i)) continue;
    const struct inet_diag_req_v2 request = {.sdiag_family = (uint8_t)socket->domain,
                                             .idiag_states = held_states,
                                             .id.idiag_sport = socket->domain == AF_UNIX ? 0 : port_of(socket)};
    int result = socket->domain == AF_UNIX ? socket_tables_each_unix(1U << TCP_ESTABLISHED, take_unix, NULL)
                                           : socket_tables_each_tcp(&request, take_internet, NULL);
    if (result < 0) return false;
  }
  return true;
}

static uint32_t inode_of(const char *link) {
  static const char beginning[] = "socket:[";
  if (strncmp(link, beginning, sizeof beginning - 1) != 0) return 0;
  return (uint32_t)strtoul(link + sizeof beginning - 1, NULL, 10);
}

static void count_if_held(uint32_t inode, uint32_t index, struct measured_worker *worker) {
  struct connection *connection = inode == 0 ? NULL : place_of(inode);
  if (!connection || connection->inode == 0 || connection->counted_for == index + 1) return;
  if (connection->counted_for == 0) sockets[connection->socket].connections++;
  connection->counted_for = index + 1;
  worker->connections++;
}

bool measured_connections_count(struct measured_process process, struct measured_worker *worker, uint64_t until) {
  char path[PATH_BYTES];
  (void)snprintf(path, sizeof path, "/proc/%u/fd", process.pid);
  char first;
  /* If reading one link blocks, all would (peek.h). */
  if (peek_link(process.pid, "exe", &first, sizeof first) == 0 && peek_is_held_up(process.pid)) return true;
  DIR *directory = opendir(path);
  if (!directory) return errno == ENOENT || errno == ESRCH; /* the process is gone and holds nothing */
  bool in_time = true;
  size_t seen = 0;
  for (struct dirent *entry; in_time && (entry = readdir(directory)); seen++) {
    char link[LINK_BYTES];
    ssize_t n = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
    if (n > 0) {
      link[n] = '\0';
      count_if_held(inode_of(link), process.worker, worker);
    }
    in_time = seen % LOOK_AT_CLOCK_EVERY != 0 || clock_now() < until;
  }
  (void)closedir(directory);
  return in_time;
}
