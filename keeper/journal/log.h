/* The journal's file as a log: a header, then records behind a length and a checksum.
 * docs/reference/keeper-protocol.md has it byte by byte. */
#ifndef KEEPER_JOURNAL_LOG_H
#define KEEPER_JOURNAL_LOG_H

#include <stdint.h>

#include "protocol/wire.h"

enum { RECORD_HEADER = 8, RECORD_BATCH = 1, RECORD_APPLIED = 2, RECORD_ENTRY = 3, RECORD_NUMBERS = 4 };

/* A file, how far it is written, and how far there is room for it in any case. */
struct log {
  int fd;
  uint64_t size;
  uint64_t reserved;
};

/* Each returns 0, or -1 with errno. */
int log_write_header(struct log *log, const char *boot_id);
int log_append(struct log *log, struct buffer *record);
int log_read(const struct log *log, uint8_t *bytes, size_t length, uint64_t offset);
/* Says in the header that what the file holds is not what counts any more. It takes no new block, so a full disk does it too. */
int log_mark_stale(int fd);
/* Keeps room for so many more bytes behind the last one, where the file system can: a disk that fills up takes them all the same. */
void log_reserve(struct log *log, uint64_t bytes);
/* Begins a record in the buffer, with room for its header: add the body, then log_append. */
void log_begin_record(struct buffer *buffer, uint8_t type);

#endif
