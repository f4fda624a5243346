/* Accepts control connections, as long as there is room for more. */
#pragma once

#include <sys/socket.h>

#include "app/basics.h"
#include "connections/connection.h"
#include "protocol/wire.h"
#include "sockets/handles.h"

enum { FIRST_LINE_MS = 60 * 1000, MOST_HELD_BYTES = 128 * 1024 * 1024 };

/* What the connections' lifecycle does for this part (streams.c). */
struct accept_owner {
  void (*ready)(struct watcher *watcher);
  /* A connection was added, with a deadline. */
  void (*added)(void);
  void (*drop)(struct connection *connection, enum closed reason);
};
void accept_is_for(const struct accept_owner *owner);

/* Commands. A failure is reported as an event. */
void accept_lines(struct reader *fields);
void accept_heads(struct reader *fields);
/* Connections wait on a listening socket. */
void accept_waiting(struct handle *listener);
/* Resumes accepting if there is room. */
void accept_again(void);
/* Neither root nor the keeper's user; over TCP the user is unknown. */
bool accept_is_stranger(const struct ucred *peer);

void accept_save(struct buffer *out);
void accept_load(struct reader *in);
