/* The journal's file as a log: a header, then records behind a length and a checksum. docs/keeper-protocol.md has it byte by byte. */
#ifndef KEEPER_JOURNAL_LOG_H
#define KEEPER_JOURNAL_LOG_H

#include <stdint.h>

#include "wire.h"

enum { RECORD_HEADER = 8, RECORD_BATCH = 1, RECORD_APPLIED = 2, RECORD_ENTRY = 3, RECORD_NUMBERS = 4 };

/* A file and how far it is written. */
struct log {
  int fd;
  uint64_t size;
};

/* Each returns 0, or -1 with errno. */
int log_write_header(struct log *log, const char *boot_id);
int log_append(struct log *log, struct buffer *record);
int log_read(const struct log *log, uint8_t *bytes, size_t length, uint64_t offset);
/* Begins a record in the buffer, with room for its header: add the body, then log_append. */
void log_begin_record(struct buffer *buffer, uint8_t type);

#endif
