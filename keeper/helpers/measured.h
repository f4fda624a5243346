/* The objects that are measured: workers with their process trees, and the sockets that their connections come from. */
#pragma once

#include <sys/socket.h>

#include "app/basics.h"

struct measured_worker {
  uint64_t id;
  uint32_t pid;
  uint64_t start;
  uint32_t processes; /* 0: the worker is gone */
  uint64_t ticks;
  uint64_t memory;
  uint32_t connections;
  bool hides_memory;
  bool hides_connections;
};

struct measured_socket {
  int fd;
  int domain;
  bool has_connections;
  struct sockaddr_storage address;
  socklen_t length;
  uint32_t connections;
};

/* A process of a worker's tree; `worker` is an index. */
struct measured_process {
  uint32_t pid;
  uint32_t worker;
};

/* Reads every process of the machine once. Returns those of the workers' trees, and adds their number and CPU time to the
 * workers. */
struct measured_process *measured_processes(struct measured_worker *workers, size_t count, size_t *found);
/* The memory that a process uses, in bytes; 0 if it is gone. False if the memory cannot be read. */
bool measured_memory(uint32_t pid, uint64_t *bytes);

/* Collects all connections that were accepted from the sockets. False if the kernel does not tell. */
bool measured_connections_learn(struct measured_socket *sockets, size_t count);
/* Counts the collected connections that a process has open, each once per worker. False if its descriptors cannot be read, or
 * not before `until` (CLOCK_MONOTONIC ms). */
bool measured_connections_count(struct measured_process process, struct measured_worker *worker, uint64_t until);
