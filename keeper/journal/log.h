/* The journal's file as a log: a header, then records, each after its length and checksum. docs/reference/keeper-protocol.md
 * describes each byte. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

enum { RECORD_HEADER = 8, RECORD_BATCH = 1, RECORD_APPLIED = 2, RECORD_ENTRY = 3, RECORD_NUMBERS = 4 };

/* A log file, its size, and the size up to which disk space is reserved. */
struct log {
  int fd;
  uint64_t size;
  uint64_t reserved;
};

/* Each returns 0, or -1 with errno. */
int log_write_header(struct log *log, const char *boot_id);
int log_append(struct log *log, struct buffer *record);
int log_read(const struct log *log, uint8_t *bytes, size_t length, uint64_t offset);
/* Marks the file as out of date in its header. This needs no new block, so it works on a full disk. */
int log_mark_stale(int fd);
/* Reserves disk space for this many bytes after the end, if the file system can. So the log can still grow when the disk fills
 * up. */
void log_reserve(struct log *log, uint64_t bytes);
/* Begins a record in the buffer and leaves room for its header: add the body, then call log_append. */
void log_begin_record(struct buffer *buffer, uint8_t type);
