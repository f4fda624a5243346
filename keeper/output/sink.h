/* Where lines go: a stream that may be stuck, or a datagram socket. What a stream does not take waits here; nothing but
 * a write to a file can block, and nothing that goes wrong ends anything. Used by the output thread only. */
#ifndef KEEPER_OUTPUT_SINK_H
#define KEEPER_OUTPUT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
  /* The most bytes that wait for a sink. Only addresses until they are used. */
  SINK_CAPACITY = 16 * 1024 * 1024,
  /* The same where there are not so many addresses. */
  SINK_LEAST_CAPACITY = 2 * 1024 * 1024,
  /* More than this waiting is a reason to write. */
  SINK_FULL_WRITE = 192 * 1024,
  SINK_MESSAGES = 64,
};

enum sink_kind {
  SINK_UNKNOWN,
  /* A file, or a device that takes everything. */
  SINK_FILE,
  /* A pipe or a terminal through a description of our own, which is non-blocking. */
  SINK_OWN,
  /* The same where none can be had: asked before each write, which is small enough not to block then. */
  SINK_ASKED,
  SINK_SOCKET,
  SINK_DATAGRAMS,
};

struct sink {
  const char *name;
  int fd;
  enum sink_kind kind;
  int own_fd;
  char *pages;
  /* How many bytes the pages have; while there are none, how many they had or will have. */
  size_t capacity;
  size_t start;
  size_t end;
  /* Waits until poll says POLLOUT. */
  bool stuck;
  /* The last byte that it took is not a newline, and what should have followed was dropped. */
  bool is_torn;
  bool is_midline;
  /* Why the last write failed, 0 if it did not; and how many lines were dropped since that was told. */
  int error;
  uint64_t lost;
  /* That it fails has been told, and when anything was. */
  bool told_failure;
  uint64_t told_at;
  /* Who has begun a line here that goes on: see pass.h. */
  const void *open;
  /* Datagrams: where they go (length 0: where the descriptor is connected to), and where each message that waits ends. */
  struct sockaddr_un address;
  socklen_t address_length;
  size_t ends[SINK_MESSAGES];
  size_t messages;
};

void sink_start(struct sink *sink, const char *name, int fd);
/* Room for `bytes` at the end, after a write if need be. NULL: no room, for it is stuck. */
char *sink_room(struct sink *sink, size_t bytes);
/* So many bytes were put into the room. */
void sink_put(struct sink *sink, size_t bytes);
/* A datagram ends here. */
void sink_end_message(struct sink *sink);
/* Writes what waits, as far as it goes without blocking. True if nothing waits any more. */
bool sink_write(struct sink *sink);
size_t sink_waiting(const struct sink *sink);
/* Which descriptor to poll for POLLOUT when it is stuck. */
int sink_poll_fd(const struct sink *sink);
/* A sentence about a failure (at most once a minute), its end, or lost lines. Returns its length, 0 for none. */
size_t sink_take_report(struct sink *sink, uint64_t now, char *out, size_t cap);
/* Gives the memory back, if nothing waits. */
void sink_rest(struct sink *sink);
/* Forgets what waits, and the description of our own. */
void sink_stop(struct sink *sink);

#endif
