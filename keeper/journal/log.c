#include "journal/log.h"

#include "app/clock.h"
#include "journal/checksum.h"

enum { JOURNAL_VERSION = 1, MAGIC_BYTES = 8 };
#define MAGIC "crankjnl"
#define STALE_MAGIC "crankold"

static int write_at(int fd, const uint8_t *bytes, size_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t n = pwrite(fd, bytes, length, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) {
      errno = ENOSPC;
      return -1;
    }
    bytes += n;
    offset += (uint64_t)n;
    length -= (size_t)n;
  }
  return 0;
}

int log_read(const struct log *log, uint8_t *bytes, size_t length, uint64_t offset) {
  while (length > 0) {
    ssize_t n = pread(log->fd, bytes, length, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = EIO;
      return -1;
    }
    bytes += n;
    offset += (uint64_t)n;
    length -= (size_t)n;
  }
  return 0;
}

int log_write_header(struct log *log, const char *boot_id) {
  struct buffer body = {0};
  struct buffer header = {0};
  buffer_text(&body, boot_id);
  buffer_u32(&body, (uint32_t)getpid());
  buffer_u64(&body, clock_now());
  buffer_add(&header, MAGIC, MAGIC_BYTES);
  buffer_u32(&header, JOURNAL_VERSION);
  buffer_u32(&header, (uint32_t)body.length);
  buffer_u32(&header, checksum(body.data, body.length));
  buffer_add(&header, body.data, body.length);
  int result = write_at(log->fd, header.data, header.length, 0);
  log->size = header.length;
  buffer_free(&body);
  buffer_free(&header);
  return result;
}

int log_mark_stale(int fd) {
  return write_at(fd, (const uint8_t *)STALE_MAGIC, MAGIC_BYTES, 0);
}

void log_reserve(struct log *log, uint64_t bytes) {
  if (log->reserved >= log->size + bytes / 2) return;
  if (fallocate(log->fd, FALLOC_FL_KEEP_SIZE, (off_t)log->size, (off_t)bytes) == 0) log->reserved = log->size + bytes;
  else if (errno == EOPNOTSUPP || errno == ENOSYS) log->reserved = UINT64_MAX; /* not supported: does not try again */
}

void log_begin_record(struct buffer *buffer, uint8_t type) {
  buffer->length = 0;
  buffer_u32(buffer, 0);
  buffer_u32(buffer, 0);
  buffer_u8(buffer, type);
}

int log_append(struct log *log, struct buffer *buffer) {
  size_t length = buffer->length - RECORD_HEADER;
  buffer_set_u32(buffer, 0, (uint32_t)length);
  buffer_set_u32(buffer, 4, checksum(buffer->data + RECORD_HEADER, length));
  if (write_at(log->fd, buffer->data, buffer->length, log->size) < 0) return -1;
  log->size += buffer->length;
  return 0;
}
