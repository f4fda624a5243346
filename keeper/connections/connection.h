/* One control connection: its input, split into lines, and its output. list.c holds all connections. */
#pragma once

#include <sys/socket.h>

#include "app/basics.h"
#include "loop/poller.h"
#include "protocol/wire.h"

/* Why a connection is closed, as the event `closed` reports it. */
enum closed { CLOSED_BY_PEER = 0, CLOSED_BY_US = 1, CLOSED_LINE_TOO_LONG = 2, CLOSED_TOO_SLOW = 3, CLOSED_BY_ERROR = 4 };

struct connection {
  uint64_t id;
  uint64_t listener;
  int fd;
  struct ucred peer;
  bool is_unix;
  bool is_stranger;  /* neither root nor the keeper's user; over TCP the user is unknown, so every peer is one */
  bool has_heads;    /* HTTP: one event per request, its first line, when its head is complete */
  bool spoke;        /* it has delivered a line, so the supervisor knows it */
  bool input_ended;  /* the peer has shut down writing */
  bool hung_up;      /* and reading */
  bool closing;      /* closed when `out` is sent */
  bool paused;       /* too many lines wait for the supervisor */
  bool is_held;      /* not read before `due`: others of its address were refused */
  uint64_t heard_by; /* latest end of such a wait; 0: none */
  bool following;
  bool output_waits; /* there are followed lines that were not taken yet */
  bool watched;
  struct buffer in;
  size_t scanned; /* bytes of `in` without a newline */
  struct buffer out;
  size_t sent;     /* bytes of `out` */
  uint32_t queued; /* lines, and their bytes, that no commit has consumed yet */
  uint64_t queued_bytes;
  uint32_t elsewhere;    /* queued lines of the same user's other connections that share its limit */
  uint64_t paused_since; /* increasing number: the smallest one resumes first */
  struct watcher watcher;
  uint64_t due; /* deadline, CLOCK_MONOTONIC ms; 0: none */
};

enum outcome { GOES_ON, PEER_ENDED, TOO_LONG, BROKEN };

/* Whether its next line must wait: the queued lines, its own or those that share a limit with it, have reached a limit. */
bool connection_is_full(const struct connection *connection);

/* Reads available input and delivers complete lines, up to the queue limits. */
enum outcome connection_read(struct connection *connection);
/* Delivers lines that were read before. */
enum outcome connection_deliver(struct connection *connection);
/* Sends what the kernel accepts now. False if the connection is broken. */
bool connection_send(struct connection *connection);
/* Bytes that it holds, input and output. */
uint64_t connection_bytes_of(const struct connection *connection);
size_t connection_unsent(const struct connection *connection);
/* Updates the watched events to the current state. */
void connection_watch(struct connection *connection);
/* Bytes that all connections hold, input and output. */
uint64_t connection_bytes_held(void);
void connection_add_output(struct connection *connection, const void *bytes, size_t length);
void connection_free(struct connection *connection);

void connection_save(const struct connection *connection, struct buffer *out);
/* NULL if the state is malformed. */
struct connection *connection_load(struct reader *in);
