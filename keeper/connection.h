/* One control connection: its bytes in, cut into lines, and its bytes out. streams.c holds them all. */
#ifndef KEEPER_CONNECTION_H
#define KEEPER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "wire.h"

/* Why a connection is gone, as `closed` says it. */
enum closed { CLOSED_BY_PEER = 0, CLOSED_BY_US = 1, CLOSED_LINE_TOO_LONG = 2, CLOSED_TOO_SLOW = 3, CLOSED_BY_ERROR = 4 };

struct connection {
  uint64_t id;
  uint64_t listener;
  int fd;
  struct ucred peer;
  bool is_unix;
  bool spoke;        /* it has delivered a line: the supervisor knows of it */
  bool input_ended;  /* the peer writes no more */
  bool hung_up;      /* nor reads */
  bool closing;      /* to be closed when `out` is sent */
  bool paused;       /* too many of its lines wait for the supervisor */
  bool following;
  bool output_waits; /* lines to follow that were not taken yet */
  bool watched;
  struct buffer in;
  size_t scanned;    /* of `in`: holds no newline */
  struct buffer out;
  size_t sent;       /* of `out` */
  uint32_t queued;   /* lines, and their bytes, that no commit has consumed */
  uint64_t queued_bytes;
  uint64_t due;      /* when it is too slow, CLOCK_MONOTONIC ms; 0 for never */
};

enum outcome { GOES_ON, PEER_ENDED, TOO_LONG, BROKEN };

/* Reads what is there and delivers complete lines, as far as they may be queued. */
enum outcome connection_read(struct connection *connection);
/* Delivers lines that were read already. */
enum outcome connection_deliver(struct connection *connection);
/* Sends what the kernel takes. False: it is broken. */
bool connection_send(struct connection *connection);
size_t connection_unsent(const struct connection *connection);
/* Watches what is to be watched now. */
void connection_watch(struct connection *connection);
/* How many bytes all of them hold, in and out. */
uint64_t connection_bytes_held(void);
void connection_add_output(struct connection *connection, const void *bytes, size_t length);
void connection_free(struct connection *connection);

void connection_save(const struct connection *connection, struct buffer *out);
/* NULL: it cannot be understood. */
struct connection *connection_load(struct reader *in);

#endif
