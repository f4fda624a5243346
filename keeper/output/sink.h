/* Destinations for lines: a stream, which may be stuck, or a datagram socket. What a stream does not accept is queued here.
 * Only a write to a file can block, and no error ends the keeper. Used only by the output thread. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "app/basics.h"

enum {
  /* Maximum bytes that wait for a sink. Only address space until they are used. */
  SINK_CAPACITY = 16 * 1024 * 1024,
  /* The same if the address space is limited. */
  SINK_LEAST_CAPACITY = 2 * 1024 * 1024,
  /* Writes as soon as this much is queued. */
  SINK_FULL_WRITE = 192 * 1024,
  SINK_MESSAGES = 64,
};

enum sink_kind {
  SINK_UNKNOWN,
  /* A file, or a device that never blocks. */
  SINK_FILE,
  /* A pipe or a terminal, opened again as our own non-blocking description. */
  SINK_OWN,
  /* The same if it cannot be opened again: polled before each write, and written in pieces that do not block then. */
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
  /* Size of the pages; without pages, their previous or next size. */
  size_t capacity;
  size_t start;
  size_t end;
  /* Waits until poll(2) reports POLLOUT. */
  bool stuck;
  /* The last byte written is not a newline, and the rest of its line was dropped. */
  bool is_torn;
  bool is_midline;
  /* The error of the last write, 0 if it succeeded; and the number of lines dropped since the last report. */
  int error;
  uint64_t lost;
  /* Whether a failure was reported, and when the last report was made. */
  bool told_failure;
  uint64_t told_at;
  /* The mark of the worker whose long line is unfinished here: see pass.h. */
  const void *open;
  /* For datagrams: the address (length 0: the descriptor is connected), and the end of each queued message. */
  struct sockaddr_un address;
  socklen_t address_length;
  size_t ends[SINK_MESSAGES];
  size_t messages;
};

void sink_start(struct sink *sink, const char *name, int fd);
/* Room for `bytes` at the end, after a write if necessary. NULL if the sink is stuck and there is no room. */
char *sink_room(struct sink *sink, size_t bytes);
/* Adds the bytes that were put into the room. */
void sink_put(struct sink *sink, size_t bytes);
/* Ends a datagram. */
void sink_end_message(struct sink *sink);
/* Writes queued bytes as far as possible without blocking. True if nothing is queued any more. */
bool sink_write(struct sink *sink);
size_t sink_waiting(const struct sink *sink);
/* The descriptor to poll for POLLOUT while the sink is stuck. */
int sink_poll_fd(const struct sink *sink);
/* A sentence about a failure (at most once a minute), its end, or lost lines. Returns its length; 0: nothing to report. */
size_t sink_take_report(struct sink *sink, uint64_t now, char *out, size_t cap);
/* Frees the memory if nothing is queued. */
void sink_rest(struct sink *sink);
/* Drops what is queued, and closes our own description. */
void sink_stop(struct sink *sink);
