#include "protocol/wire.h"

#include "app/memory.h"

enum { SMALLEST = 64 };

void buffer_reserve(struct buffer *buffer, size_t more) {
  size_t wanted = buffer->length + more;
  if (wanted <= buffer->capacity) return;
  size_t capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity;
  while (capacity < wanted) capacity *= 2;
  buffer->data = memory_resize(buffer->data, capacity);
  buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length) {
  if (length == 0) return;
  buffer_reserve(buffer, length);
  memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
}

void buffer_u8(struct buffer *buffer, uint8_t value) {
  buffer_add(buffer, &value, 1);
}

static void store(uint8_t *at, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

void buffer_u32(struct buffer *buffer, uint32_t value) {
  uint8_t bytes[4];
  store(bytes, value, sizeof bytes);
  buffer_add(buffer, bytes, sizeof bytes);
}

void buffer_u64(struct buffer *buffer, uint64_t value) {
  uint8_t bytes[8];
  store(bytes, value, sizeof bytes);
  buffer_add(buffer, bytes, sizeof bytes);
}

void buffer_i32(struct buffer *buffer, int32_t value) {
  buffer_u32(buffer, (uint32_t)value);
}

struct span span_of(const void *bytes, size_t length) {
  return (struct span){.data = bytes, .length = length};
}

void buffer_bytes(struct buffer *buffer, struct span bytes) {
  buffer_u32(buffer, (uint32_t)bytes.length);
  buffer_add(buffer, bytes.data, bytes.length);
}

void buffer_list(struct buffer *buffer, struct list list) {
  buffer_u32(buffer, list.count);
  buffer_add(buffer, list.data, list.length);
}

struct list buffer_pack(struct buffer *buffer, char *const *texts) {
  struct list list = {0};
  for (; texts[list.count]; list.count++) buffer_text(buffer, texts[list.count]);
  list.data = buffer->data;
  list.length = buffer->length;
  return list;
}

void buffer_text(struct buffer *buffer, const char *text) {
  buffer_bytes(buffer, span_of(text, strlen(text)));
}

void buffer_set_u32(struct buffer *buffer, size_t offset, uint32_t value) {
  store(buffer->data + offset, value, 4);
}

void buffer_set_u64(struct buffer *buffer, size_t offset, uint64_t value) {
  store(buffer->data + offset, value, 8);
}

int buffer_write(const struct buffer *buffer, int fd) {
  for (size_t written = 0; written < buffer->length;) {
    ssize_t n = write(fd, buffer->data + written, buffer->length - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    written += (size_t)n;
  }
  return 0;
}

void buffer_drop(struct buffer *buffer, size_t length) {
  if (length >= buffer->length) {
    buffer_free(buffer);
    return;
  }
  memmove(buffer->data, buffer->data + length, buffer->length - length);
  buffer->length -= length;
}

void buffer_free(struct buffer *buffer) {
  free(buffer->data);
  *buffer = (struct buffer){0};
}

void buffer_free_scoped(struct buffer *buffer) {
  int error = errno;
  buffer_free(buffer);
  errno = error;
}

struct reader reader_of(const void *bytes, size_t length) {
  const uint8_t *start = bytes;
  return (struct reader){.at = start, .end = start ? start + length : start, .failed = false};
}

static const uint8_t *take(struct reader *reader, size_t length) {
  if (reader->failed || (size_t)(reader->end - reader->at) < length) {
    reader->failed = true;
    return NULL;
  }
  const uint8_t *at = reader->at;
  reader->at += length;
  return at;
}

static uint64_t load(const uint8_t *at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; at && i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

uint8_t read_u8(struct reader *reader) {
  return (uint8_t)load(take(reader, 1), 1);
}

uint32_t read_u32(struct reader *reader) {
  return (uint32_t)load(take(reader, 4), 4);
}

int32_t read_i32(struct reader *reader) {
  return (int32_t)read_u32(reader);
}

uint64_t read_u64(struct reader *reader) {
  return load(take(reader, 8), 8);
}

struct span read_bytes(struct reader *reader) {
  uint32_t length = read_u32(reader);
  const uint8_t *data = take(reader, length);
  return (struct span){.data = data, .length = data ? length : 0};
}

static struct list read_list(struct reader *reader, uint32_t texts_an_item) {
  struct list list = {.count = read_u32(reader)};
  list.data = reader->at;
  for (uint32_t i = 0; i < list.count && !reader->failed; i++) {
    for (uint32_t j = 0; j < texts_an_item; j++) (void)read_bytes(reader);
  }
  if (reader->failed) return (struct list){0};
  list.length = (size_t)(reader->at - list.data);
  return list;
}

struct list read_texts(struct reader *reader) {
  return read_list(reader, 1);
}

struct list read_pairs(struct reader *reader) {
  return read_list(reader, 2);
}

struct list read_numbers(struct reader *reader) {
  struct list list = {.count = read_u32(reader)};
  list.length = (size_t)list.count * 8;
  list.data = take(reader, list.length);
  return list.data ? list : (struct list){0};
}

uint64_t list_number(const struct list *list, uint32_t index) {
  return index < list->count ? load(list->data + (size_t)index * 8, 8) : 0;
}

char *span_text(struct span span) {
  return memory_copy_text((const char *)span.data, span.length);
}

bool span_equals(struct span span, const char *text) {
  size_t length = strlen(text);
  return span.length == length && (length == 0 || memcmp(span.data, text, length) == 0);
}

struct span span_take_line(struct span *span) {
  const uint8_t *end = memchr(span->data, '\n', span->length);
  struct span line = {.data = span->data, .length = end ? (size_t)(end - span->data) : span->length};
  size_t taken = line.length + (end ? 1 : 0);
  *span = span_of(span->data + taken, span->length - taken);
  return line;
}

static void check_text(struct reader *reader) {
  struct span text = read_bytes(reader);
  if (text.length > 0 && memchr(text.data, 0, text.length)) reader->failed = true;
}

static void check_texts(struct reader *reader, uint32_t texts_an_item) {
  uint32_t count = read_u32(reader);
  for (uint32_t i = 0; i < count && !reader->failed; i++) {
    for (uint32_t j = 0; j < texts_an_item; j++) check_text(reader);
  }
}

static void check_field(struct reader *reader, const char *type, size_t length) {
  struct span name = span_of(type, length);
  if (span_equals(name, "u8")) (void)read_u8(reader);
  else if (span_equals(name, "u32") || span_equals(name, "i32")) (void)read_u32(reader);
  else if (span_equals(name, "u64")) (void)read_u64(reader);
  else if (span_equals(name, "bytes")) (void)read_bytes(reader);
  else if (span_equals(name, "text")) check_text(reader);
  else if (span_equals(name, "texts")) check_texts(reader, 1);
  else if (span_equals(name, "pairs")) check_texts(reader, 2);
  else if (span_equals(name, "numbers")) (void)read_numbers(reader);
  else reader->failed = true;
}

bool wire_matches(const char *signature, const void *bytes, size_t length) {
  struct reader reader = reader_of(bytes, length);
  for (const char *at = strchr(signature, ':'); at; at = strchr(at + 1, ':')) check_field(&reader, at + 1, strcspn(at + 1, " "));
  return !reader.failed && reader.at == reader.end;
}
