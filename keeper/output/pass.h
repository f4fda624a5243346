/* Passes one worker's bytes on to a sink, line by line. Used by the output thread only.
 *
 * A line longer than LINE_LIMIT is passed on in pieces, so that no worker can hold the others up or fill memory:
 * - as text, the pieces follow each other as they are, behind one prefix. If a line of another source has to come in
 *   between, a newline ends the piece and the next piece has a prefix of its own;
 * - as JSON and as datagrams, each piece is a line of its own; JSON marks all but the last with "partial":true. */
#ifndef KEEPER_OUTPUT_PASS_H
#define KEEPER_OUTPUT_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/format.h"
#include "output/sink.h"

enum { LINE_LIMIT = 64 * 1024 };

enum format { FORMAT_TEXT, FORMAT_JSON };

/* What goes before each line of one worker, in either format; and that rendered, for as long as it stays the same. */
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
  /* Tells one route from the next, so that marks are rendered again. */
  uint32_t number;
  enum format format;
  struct sink *sink;
  /* Before each datagram. */
  struct template header;
  struct time_text times;
};

int mark_compile(struct mark *mark, const char *prefix, const char *json);
void mark_free(struct mark *mark);

/* How many bytes can be read at a time so that all that is made of them surely has room in an empty sink. */
size_t pass_bound(const struct route *route, const struct mark *mark, size_t wanted);

/* Passes on every whole line of `bytes`, and pieces of lines that are too long; with `final`, the rest too, as a line.
 * Returns how many bytes it took: at most LINE_LIMIT are left. */
size_t pass_lines(struct route *route, struct mark *mark, uint32_t pid, uint64_t at, const char *bytes, size_t length,
                  bool final);

/* Before the route goes elsewhere: who writes to its sink next begins a new line. */
void route_leave(struct route *route);

/* Passes crank's own lines on to a stream as they are, and to datagrams one by one behind the header. */
void pass_own_lines(struct route *route, struct sink *sink, uint32_t pid, uint64_t at, const char *bytes, size_t length);

#endif
