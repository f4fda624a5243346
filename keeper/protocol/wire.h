/* Encoding and decoding: growing buffers, and readers that never read past the end. All numbers are little-endian. */
#pragma once

#include "app/basics.h"

/* Bytes in a buffer of another owner. */
struct span {
  const uint8_t *data;
  size_t length;
};

/* A counted list in a buffer of another owner: texts, pairs (two texts per item) or numbers. */
struct list {
  const uint8_t *data;
  size_t length;
  uint32_t count;
};

struct buffer {
  uint8_t *data;
  size_t length;
  size_t capacity;
};

/* Reading past the end returns zeros and sets `failed`. */
struct reader {
  const uint8_t *at;
  const uint8_t *end;
  bool failed;
};

void buffer_reserve(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_u8(struct buffer *buffer, uint8_t value);
void buffer_u32(struct buffer *buffer, uint32_t value);
void buffer_u64(struct buffer *buffer, uint64_t value);
void buffer_i32(struct buffer *buffer, int32_t value);
void buffer_bytes(struct buffer *buffer, struct span bytes);
void buffer_list(struct buffer *buffer, struct list list);
/* Adds the texts without a count, up to a NULL. Returns all that the buffer holds as a list. */
struct list buffer_pack(struct buffer *buffer, char *const *texts);
void buffer_text(struct buffer *buffer, const char *text);
/* Overwrites four bytes that were written before. */
void buffer_set_u32(struct buffer *buffer, size_t offset, uint32_t value);
void buffer_set_u64(struct buffer *buffer, size_t offset, uint64_t value);
/* Writes the whole buffer to a file; -1 with errno. */
int buffer_write(const struct buffer *buffer, int fd);
/* Removes the first bytes. An empty buffer frees its memory. */
void buffer_drop(struct buffer *buffer, size_t length);
void buffer_free(struct buffer *buffer);
/* A local buffer that is freed at the end of its scope; errno is kept. */
#define SCOPED_BUFFER __attribute__((cleanup(buffer_free_scoped))) struct buffer
void buffer_free_scoped(struct buffer *buffer);

struct reader reader_of(const void *bytes, size_t length);
uint8_t read_u8(struct reader *reader);
uint32_t read_u32(struct reader *reader);
int32_t read_i32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
struct span read_bytes(struct reader *reader);
struct list read_texts(struct reader *reader);
struct list read_pairs(struct reader *reader);
struct list read_numbers(struct reader *reader);
/* Number `index` of a list of numbers. */
uint64_t list_number(const struct list *list, uint32_t index);

struct span span_of(const void *bytes, size_t length);
/* A NUL-terminated copy; the caller frees it. */
char *span_text(struct span span);
bool span_equals(struct span span, const char *text);
/* Takes the first line off the span. Returns it without its newline. */
struct span span_take_line(struct span *span);

/* Whether the bytes are exactly the fields of a signature such as "worker:u64 file:text": lengths, counts, no NUL in a text. */
bool wire_matches(const char *signature, const void *bytes, size_t length);
