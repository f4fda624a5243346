#include "output/pass.h"

#include "app/memory.h"

enum {
  /* Marks are copied in steps of this many bytes, so there must be this much room after them. */
  STEP = 32,
  /* Maximum bytes around a line in addition to its mark: newlines and the end of a JSON object. */
  AROUND = 32,
};

int mark_compile(struct mark *mark, const char *prefix, const char *json) {
  *mark = (struct mark){0};
  if (template_compile(&mark->text, prefix) != 0) return -1;
  if (template_compile_json(&mark->json, json) != 0) {
    template_free(&mark->text);
    return -1;
  }
  return 0;
}

void mark_free(struct mark *mark) {
  template_free(&mark->text);
  template_free(&mark->json);
  free(mark->rendered);
  mark->rendered = NULL;
}

static const struct template *template_of(const struct route *route, const struct mark *mark) {
  return route->format == FORMAT_JSON ? &mark->json : &mark->text;
}

static size_t longest_mark(const struct route *route, const struct mark *mark) {
  return (route->sink->kind == SINK_DATAGRAMS ? route->header.longest : 0) + template_of(route, mark)->longest;
}

static void render(struct route *route, struct mark *mark, uint32_t pid, uint64_t at) {
  if (mark->rendered && mark->at == at && mark->pid == pid && mark->route == route->number) return;
  if (!mark->rendered || mark->route != route->number) {
    mark->rendered = memory_resize(mark->rendered, longest_mark(route, mark) + STEP);
  }
  mark->length = 0;
  if (route->sink->kind == SINK_DATAGRAMS) {
    mark->length = template_render(&route->header, &route->times, at, pid, mark->rendered);
  }
  mark->length += template_render(template_of(route, mark), &route->times, at, pid, mark->rendered + mark->length);
  mark->at = at;
  mark->pid = pid;
  mark->route = route->number;
}

size_t pass_bound(const struct route *route, const struct mark *mark, size_t wanted) {
  // Worst case: empty lines, each byte of which becomes a mark. Keeps room for an incomplete line and crank's own lines.
  size_t each = longest_mark(route, mark) + AROUND + JSON_GROWTH, kept = 4 * JSON_GROWTH * LINE_LIMIT;
  size_t bound = (route->sink->capacity - kept) / each;
  return bound < wanted ? bound : wanted;
}

/* May write up to STEP - 1 bytes more, which the next bytes overwrite. */
static char *put_mark(char *out, const struct mark *mark) {
  for (size_t i = 0; i < mark->length; i += STEP) memcpy(out + i, mark->rendered + i, STEP);
  return out + mark->length;
}

static size_t room_for(const struct route *route, const struct mark *mark, size_t length) {
  return mark->length + AROUND + STEP + (route->format == FORMAT_JSON ? JSON_GROWTH * length : length);
}

/* Ends an unfinished long line of another source. */
static char *end_open_line(struct sink *sink, char *out) {
  if (sink->open) *out++ = '\n';
  sink->open = NULL;
  return out;
}

static char *put_text(struct sink *sink, const struct mark *mark, char *out, const char *line, size_t length, bool ends) {
  if (sink->open != mark) out = put_mark(end_open_line(sink, out), mark);
  memcpy(out, line, length);
  out += length;
  if (ends) *out++ = '\n';
  sink->open = ends ? NULL : mark;
  return out;
}

static char *put_json(struct sink *sink, const struct mark *mark, char *out, const char *line, size_t length, bool ends) {
  static const char last[] = "\"}\n", partial[] = "\",\"partial\":true}\n";
  out = put_mark(end_open_line(sink, out), mark);
  out += json_escape(out, line, length);
  memcpy(out, ends ? last : partial, ends ? sizeof last - 1 : sizeof partial - 1);
  return out + (ends ? sizeof last : sizeof partial) - 1;
}

static void put_line(struct route *route, const struct mark *mark, const char *line, size_t length, bool ends) {
  struct sink *sink = route->sink;
  char *out = sink_room(sink, room_for(route, mark, length));
  if (!out) {
    sink->lost++;
    return;
  }
  char *end;
  bool datagram = sink->kind == SINK_DATAGRAMS;
  if (route->format == FORMAT_JSON) end = put_json(sink, mark, out, line, length, ends);
  else end = put_text(sink, mark, out, line, length, ends || datagram);
  sink_put(sink, (size_t)(end - out) - (datagram ? 1 : 0));
  if (datagram) sink_end_message(sink);
}

/* The fast path for nearly all bytes: short lines as text. Handles as many of them as there is room for, and writes when enough
 * is queued. */
static size_t pass_short_lines(struct route *route, const struct mark *mark, const char *bytes, size_t length) {
  struct sink *sink = route->sink;
  if (route->format != FORMAT_TEXT || sink->kind == SINK_DATAGRAMS || sink->open) return 0;
  const char *at = bytes, *end = bytes + length;
  while (at < end) {
    char *out = sink_room(sink, SINK_FULL_WRITE + room_for(route, mark, LINE_LIMIT));
    if (!out) break;
    char *to = out, *enough = out + SINK_FULL_WRITE;
    const char *newline = NULL;
    while (at < end && to < enough && (newline = memchr(at, '\n', (size_t)(end - at)))) {
      size_t size = (size_t)(newline - at) + 1;
      if (size > LINE_LIMIT + 1) break;
      to = put_mark(to, mark);
      memcpy(to, at, size);
      to += size;
      at += size;
    }
    sink_put(sink, (size_t)(to - out));
    if (!sink->stuck && sink_waiting(sink) >= SINK_FULL_WRITE) (void)sink_write(sink);
    if (to < enough) break;
  }
  return (size_t)(at - bytes);
}

/* Ends the line that this worker has begun, if it was cut into pieces. */
static void pass_end(struct route *route, const struct mark *mark) {
  if (route->sink->open == mark) put_line(route, mark, "", 0, true);
  // No room: the next output starts a new line.
  if (route->sink->open == mark) route->sink->is_torn = true;
  if (route->sink->open == mark) route->sink->open = NULL;
}

struct piece {
  size_t size;
  size_t taken;
  bool ends;
};

/* The next line of `bytes`, or a piece of it; `taken` is 0 if the line is incomplete but not too long. */
static struct piece next_piece(const char *bytes, size_t length, bool final) {
  const char *newline = memchr(bytes, '\n', length <= LINE_LIMIT ? length : LINE_LIMIT + 1);
  if (newline) {
    size_t size = (size_t)(newline - bytes);
    return (struct piece){.size = size, .taken = size + 1, .ends = true};
  }
  if (length <= LINE_LIMIT) return (struct piece){.size = length, .taken = final ? length : 0, .ends = true};
  size_t size = text_cut(bytes, LINE_LIMIT);
  return (struct piece){.size = size, .taken = size, .ends = false};
}

size_t pass_lines(struct route *route, struct mark *mark, uint32_t pid, uint64_t at, const char *bytes, size_t length,
                  bool final) {
  render(route, mark, pid, at);
  size_t done = pass_short_lines(route, mark, bytes, length);
  while (done < length) {
    struct piece piece = next_piece(bytes + done, length - done, final);
    if (piece.taken == 0) break;
    put_line(route, mark, bytes + done, piece.size, piece.ends);
    done += piece.taken;
    done += pass_short_lines(route, mark, bytes + done, length - done);
  }
  if (final) pass_end(route, mark);
  return done;
}

void route_leave(struct route *route) {
  struct sink *sink = route->sink;
  if (sink->open) sink->is_torn = true;
  sink->open = NULL;
}

void pass_own_lines(struct route *route, struct sink *sink, uint32_t pid, uint64_t at, const char *bytes, size_t length) {
  const char *end = bytes + length;
  while (bytes < end) {
    const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
    size_t size = newline ? (size_t)(newline - bytes) : (size_t)(end - bytes);
    bool datagram = sink->kind == SINK_DATAGRAMS;
    char *out = sink_room(sink, size + AROUND + (datagram ? route->header.longest : 0));
    if (!out) {
      sink->lost++;
    } else {
      char *to = datagram ? out : end_open_line(sink, out);
      if (datagram) to += template_render(&route->header, &route->times, at, pid, to);
      memcpy(to, bytes, size);
      to += size;
      if (!datagram) *to++ = '\n';
      sink_put(sink, (size_t)(to - out));
      if (datagram) sink_end_message(sink);
    }
    bytes += newline ? size + 1 : size;
  }
}
