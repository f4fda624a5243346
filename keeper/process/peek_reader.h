/* The process that reads /proc for the keeper, and that is killed when a process of untrusted users blocks it (peek.h). */
#pragma once

#include "app/basics.h"

enum {
  PATH_ROOM = 64,
  PACKET_BYTES = 4096,
  MOST_AT_ONCE = 128, /* processes per question */
  STAT_BYTES = 1024,
};

enum kind { READ_FILE, READ_LINK, READ_IDENTITY, READ_INODES, READ_STATS };

struct question {
  enum kind kind;
  size_t room;
  char path[PATH_ROOM];
  uint32_t count; /* of `pids`, for READ_STATS */
  uint32_t pids[MOST_AT_ONCE];
};

/* An answer consists of packets: a mark, then bytes. */
enum { MORE = 'm', LAST = 'l' };

struct packet {
  char mark;
  char bytes[PACKET_BYTES];
};

/* Answers all questions on the channel. After a fork: only async-signal-safe calls, because the keeper has threads. */
_Noreturn void peek_reader_run(int channel);
