#include "helpers/measure.h"

#include <inttypes.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

#include "app/clock.h"
#include "app/memory.h"
#include "helpers/measured.h"
#include "sockets/accept_queue.h"

enum {
  SAY_FD = 3,
  /* less than LIMITS.datagramBytes of src/keeper/protocol.ts */
  DATAGRAM_BYTES = 8000,
  LINE_BYTES = 160,
  NUMBER_BYTES = 24,
  NETSTAT_BYTES = 16 * 1024,
};

static char datagram[DATAGRAM_BYTES];
static size_t said;

/* Blocks while the keeper has not read earlier datagrams. If the keeper no longer reads, the rest is useless too, so the
 * process exits. */
static void flush(void) {
  for (size_t length = said; length > 0 && send(SAY_FD, datagram, length, MSG_NOSIGNAL) < 0;) {
    if (errno != EINTR) _exit(1);
  }
  said = 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  if (said + LINE_BYTES > sizeof datagram) flush();
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(datagram + said, LINE_BYTES, format, arguments);
  va_end(arguments);
  if (length > 0 && length < LINE_BYTES) said += (size_t)length;
}

/* The number as text, or `-` if it is unknown. */
static const char *number(char text[NUMBER_BYTES], bool is_known, uint64_t value) {
  (void)snprintf(text, NUMBER_BYTES, "%" PRIu64, value);
  return is_known ? text : "-";
}

static bool read_worker(const char *text, struct measured_worker *worker) {
  return sscanf(text, "%" SCNu64 ":%" SCNu32 ":%" SCNu64, &worker->id, &worker->pid, &worker->start) == 3;
}

/* Two hexadecimal digits per byte. False if the address is not of a kind that has connections. */
static bool read_address(const char *text, struct measured_socket *socket) {
  uint8_t *bytes = (void *)&socket->address;
  for (unsigned byte = 0; sscanf(text, "%2x", &byte) == 1 && socket->length < sizeof socket->address; text += 2) {
    bytes[socket->length++] = (uint8_t)byte;
    if (text[1] == '\0') return false;
  }
  socket->domain = socket->address.ss_family;
  if (socket->domain == AF_INET) return socket->length >= sizeof(struct sockaddr_in);
  if (socket->domain == AF_INET6) return socket->length >= sizeof(struct sockaddr_in6);
  return socket->domain == AF_UNIX && socket->length > sizeof(sa_family_t);
}

static bool read_socket(const char *text, struct measured_socket *socket) {
  const char *address = strchr(text, ':');
  if (!address) return false;
  *socket = (struct measured_socket){.fd = text[0] == '-' ? -1 : atoi(text)};
  socket->has_connections = read_address(address + 1, socket);
  return true;
}

static void measure_processes(struct measured_worker *workers, size_t count, uint64_t until, bool with_connections) {
  size_t found = 0;
  struct measured_process *members = measured_processes(workers, count, &found);
  for (size_t i = 0; i < found; i++) {
    struct measured_worker *worker = &workers[members[i].worker];
    uint64_t bytes = 0;
    if (clock_now() < until && measured_memory(members[i].pid, &bytes)) worker->memory += bytes;
    else worker->hides_memory = true;
  }
  for (size_t i = 0; i < found && with_connections; i++) {
    struct measured_worker *worker = &workers[members[i].worker];
    if (!measured_connections_count(members[i], worker, until)) worker->hides_connections = true;
  }
  free(members);
}

static void say_worker(const struct measured_worker *worker, bool with_connections) {
  char memory[NUMBER_BYTES], connections[NUMBER_BYTES];
  if (worker->processes == 0) return;
  uint64_t cpu = worker->ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
  say("w %" PRIu64 " %" PRIu32 " %s %" PRIu64 " %s\n", worker->id, worker->processes,
      number(memory, !worker->hides_memory, worker->memory), cpu,
      number(connections, with_connections && !worker->hides_connections, worker->connections));
}

/* The kernel counts what a socket could not take: for a listening TCP socket mostly connections that arrived while its accept
 * queue was full, for a UDP socket datagrams that arrived while its buffer was full. */
static bool read_drops(const struct measured_socket *socket, uint32_t *drops) {
  uint32_t numbers[SK_MEMINFO_VARS] = {0};
  socklen_t size = sizeof numbers;
  int domain = 0;
  socklen_t domain_size = sizeof domain;
  if (getsockopt(socket->fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0 || domain == AF_UNIX) return false;
  if (getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, numbers, &size) < 0) return false;
  if (size < (SK_MEMINFO_DROPS + 1) * sizeof *numbers) return false;
  *drops = numbers[SK_MEMINFO_DROPS];
  return true;
}

static void say_socket(size_t index, const struct measured_socket *socket, bool with_connections) {
  char connections[NUMBER_BYTES], waiting[NUMBER_BYTES], most[NUMBER_BYTES], dropped[NUMBER_BYTES];
  uint32_t queue = 0, limit = 0, drops = 0;
  bool has_queue = socket->has_connections && accept_queue(socket->fd, (uint32_t)socket->domain, &queue, &limit) == 0;
  bool has_drops = read_drops(socket, &drops);
  say("s %zu %s %s %s %s\n", index, number(connections, with_connections && socket->has_connections, socket->connections),
      number(waiting, has_queue, queue), number(most, has_queue, limit), number(dropped, has_drops, drops));
}

/* Finds the value that is in the same column as `name`: netstat has a line of names and a line of values (netstat(8)). */
static bool find_counter(const char *names, const char *values, const char *name, uint64_t *value) {
  char name_room[64];
  char *end = NULL;
  int used = 0;
  while (sscanf(names, " %63s%n", name_room, &used) == 1 && *names != '\n') {
    names += used;
    values += strspn(values, " ");
    values += strcspn(values, " \n");
    if (strcmp(name_room, name) != 0) continue;
    while (values[-1] != ' ' && values[-1] != ':') values--;
    *value = strtoull(values, &end, 10);
    return end != values;
  }
  return false;
}

static void say_counters(void) {
  static char text[NETSTAT_BYTES];
  FILE *file = fopen("/proc/self/net/netstat", "re");
  if (!file) return;
  size_t length = fread(text, 1, sizeof text - 1, file);
  (void)fclose(file);
  text[length] = '\0';
  const char *names = strstr(text, "TcpExt:");
  const char *values = names ? strstr(names + 1, "TcpExt:") : NULL;
  uint64_t overflows = 0, drops = 0;
  if (!values || !find_counter(names, values, "ListenOverflows", &overflows)) return;
  if (find_counter(names, values, "ListenDrops", &drops)) say("n %" PRIu64 " %" PRIu64 "\n", overflows, drops);
}

/* The deadline in the loops ends long work; this alarm ends a system call that does not return. */
static void set_alarm(uint64_t ms) {
  struct itimerval limit = {.it_value = {.tv_sec = (time_t)(ms / 1000) + 1}};
  (void)setitimer(ITIMER_REAL, &limit, NULL);
}

void measure_run(int argc, char **argv) {
  size_t socket_count = argc < 3 ? 0 : strtoul(argv[2], NULL, 10);
  if (argc < 3 || socket_count > (size_t)argc - 3) _exit(2);
  uint64_t limit = strtoull(argv[1], NULL, 10);
  uint64_t until = clock_now() + limit;
  set_alarm(limit);
  size_t worker_count = (size_t)argc - 3 - socket_count;
  struct measured_socket *sockets = memory_take_zeroed((socket_count + 1) * sizeof *sockets);
  struct measured_worker *workers = memory_take_zeroed((worker_count + 1) * sizeof *workers);
  for (size_t i = 0; i < socket_count; i++) {
    if (!read_socket(argv[i + 3], &sockets[i])) _exit(2);
  }
  for (size_t i = 0; i < worker_count; i++) {
    if (!read_worker(argv[i + 3 + socket_count], &workers[i])) _exit(2);
  }
  bool with_connections = socket_count > 0 && measured_connections_learn(sockets, socket_count);
  measure_processes(workers, worker_count, until, with_connections);
  for (size_t i = 0; i < worker_count; i++) say_worker(&workers[i], with_connections);
  for (size_t i = 0; i < socket_count; i++) say_socket(i, &sockets[i], with_connections);
  if (socket_count > 0) say_counters();
  say("end\n");
  flush();
  _exit(0);
}
