/* Passes one worker's bytes on to a sink, line by line. Used only by the output thread.
 *
 * A line longer than LINE_LIMIT is passed on in pieces, so that no worker can block the others or fill the memory:
 * - as text, the pieces follow each other after one prefix. If another source's line comes in between, a newline ends the
 *   piece, and the next piece has its own prefix;
 * - as JSON and as datagrams, each piece is a line of its own; JSON marks all but the last with "partial":true. */
#pragma once

#include "output/format.h"
#include "output/sink.h"

enum { LINE_LIMIT = 64 * 1024 };

enum format { FORMAT_TEXT, FORMAT_JSON };

/* The prefix of one worker's lines, in both formats, and its rendered text for as long as that stays valid. */
struct mark {
  struct template text;
  struct template json;
  char *rendered;
  size_t length;
  uint64_t at;
  uint32_t pid;
  uint32_t route;
};

struct route {
  /* Changes with each route, so that marks are rendered again. */
  uint32_t number;
  enum format format;
  struct sink *sink;
  /* Comes before each datagram. */
  struct template header;
  struct time_text times;
};

int mark_compile(struct mark *mark, const char *prefix, const char *json);
void mark_free(struct mark *mark);

/* How many bytes may be read at once so that all their output fits into an empty sink. */
size_t pass_bound(const struct route *route, const struct mark *mark, size_t wanted);

/* Passes on each complete line of `bytes`, and pieces of lines that are too long; with `final`, the rest too, as a line.
 * Returns the number of bytes used; at most LINE_LIMIT are left. */
size_t pass_lines(struct route *route, struct mark *mark, uint32_t pid, uint64_t at, const char *bytes, size_t length,
                  bool final);

/* Before the route changes to another sink: the next writer to the old sink starts a new line. */
void route_leave(struct route *route);

/* Passes crank's own lines on: to a stream unchanged, as datagrams one by one after the header. */
void pass_own_lines(struct route *route, struct sink *sink, uint32_t pid, uint64_t at, const char *bytes, size_t length);
