/* One control connection: its bytes in, cut into lines, and its bytes out. streams.c holds them all. */
#ifndef KEEPER_CONNECTIONS_CONNECTION_H
#define KEEPER_CONNECTIONS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "loop/poller.h"
#include "protocol/wire.h"

/* Why a connection is gone, as `closed` says it. */
enum closed { CLOSED_BY_PEER = 0, CLOSED_BY_US = 1, CLOSED_LINE_TOO_LONG = 2, CLOSED_TOO_SLOW = 3, CLOSED_BY_ERROR = 4 };

struct connection {
  uint64_t id;
  uint64_t listener;
  int fd;
  struct ucred peer;
  bool is_unix;
  bool is_stranger;  /* neither root nor who the keeper runs as; over tcp that is not known of any */
  bool has_heads;    /* HTTP: one event, the first line of a request, when its head is complete */
  bool spoke;        /* it has delivered a line: the supervisor knows of it */
  bool input_ended;  /* the peer writes no more */
  bool hung_up;      /* nor reads */
  bool closing;      /* to be closed when `out` is sent */
  bool paused;       /* too many lines wait for the supervisor */
  bool is_held;      /* not read from before `due`: others of its address were turned away */
  uint64_t heard_by;  /* held back no longer than until then; 0: not at all */
  bool following;
  bool output_waits; /* lines to follow that were not taken yet */
  bool watched;
  struct buffer in;
  size_t scanned;    /* of `in`: holds no newline */
  struct buffer out;
  size_t sent;       /* of `out` */
  uint32_t queued;   /* lines, and their bytes, that no commit has consumed */
  uint64_t queued_bytes;
  uint32_t elsewhere;    /* lines that wait of the same user's other connections, where these share a limit */
  uint64_t paused_since; /* a number that grows: the one that has waited for longest goes on first */
  struct watcher watcher;
  uint64_t due;      /* when it is too slow, CLOCK_MONOTONIC ms; 0 for never */
};

enum outcome { GOES_ON, PEER_ENDED, TOO_LONG, BROKEN };

/* Whether its next line has to wait: too many or too large ones do already, of itself or of all that it shares a limit with. */
bool connection_is_full(const struct connection *connection);

/* Reads what is there and delivers complete lines, as far as they may be queued. */
enum outcome connection_read(struct connection *connection);
/* Delivers lines that were read already. */
enum outcome connection_deliver(struct connection *connection);
/* Sends what the kernel takes. False: it is broken. */
bool connection_send(struct connection *connection);
/* How many bytes it holds, in and out. */
uint64_t connection_bytes_of(const struct connection *connection);
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
