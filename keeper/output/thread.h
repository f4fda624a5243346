/* The thread that passes output on, and the table that it shares with the main loop. Internal to keeper/output.
 *
 * The lock is held only while a few bytes are copied, never during a system call that can block. Fields that are not marked as
 * protected belong to the thread alone, or to the main loop while there is no thread. */
#pragma once

#include <pthread.h>

#include "output/follow.h"
#include "output/pass.h"
#include "output/ring.h"
#include "output/sink.h"
#include "protocol/wire.h"

enum {
  /* How much is read from one pipe before the next one's turn. Not more, so that a flood does not evict other code from the
   * processor's L2 cache: a supervisor that must load its code again answers half as fast. */
  CHUNK_SIZE = 64 * 1024,
  /* Number of turns before the main loop's requests are checked again. */
  TURNS = 8,
  /* Size of the lines of all workers that are kept for output_follow. */
  KEPT_LIMIT = 128 * 1024,
  /* Maximum bytes of crank's own lines that wait for one sink. */
  LOG_LIMIT = 256 * 1024,
  /* Idle time after which large buffers are freed. */
  REST_AFTER_MS = 1000,
};

enum drain { DRAIN_NONE, DRAIN_ASKED, DRAIN_DONE, DRAIN_TOLD };

/* A worker's pipe. */
struct source {
  /* Protected by the lock. */
  struct source *next;
  struct source *next_wish;
  bool has_wish;
  bool is_leaving;
  uint32_t pid;
  enum drain drain;
  struct tail tail;
  /* Constant. */
  uint64_t worker;
  bool is_kept;
  char *prefix;
  char *json;
  /* Owned by the thread. fd -1: the pipe has ended. */
  int fd;
  struct mark mark;
  char *half;
  size_t half_length;
  size_t half_capacity;
};

/* A change of route, from output_format. */
struct wanted_route {
  enum format format;
  /* Standard error instead of standard output. */
  bool to_stderr;
  /* -1: to a stream. */
  int datagram_fd;
  struct sockaddr_un address;
  socklen_t address_length;
  char *header;
};

enum { LOG_STDOUT, LOG_STDERR, LOG_DATAGRAMS, LOG_SINKS };

struct log_queue {
  struct buffer bytes;
  uint64_t lost;
};

struct output {
  pthread_mutex_t lock;
  pthread_cond_t flushed;
  pthread_t thread;
  bool is_open;
  bool is_running;
  bool is_stopped;
  int wake_fd;
  int event_fd;
  int pipes_fd;
  /* Protected by the lock. */
  bool stop;
  struct source *sources;
  struct source *first_wish;
  struct source *last_wish;
  size_t drained;
  struct ring kept;
  struct followers followers;
  struct log_queue logs[LOG_SINKS];
  struct wanted_route *wanted;
  uint64_t flush_wanted;
  uint64_t flush_done;
  /* Owned by the thread. */
  struct route route;
  char *header;
  struct sink out;
  struct sink err;
  struct sink datagrams;
  char *chunk;
};

/* Runs until output->stop. */
void *thread_main(void *output);

/* CLOCK_REALTIME, ms. */
uint64_t thread_time(void);
/* Reads once, at most `wanted` bytes, and passes them on. Returns the length; 0 if there is nothing now or the pipe has
 * ended. */
size_t read_source(struct output *output, struct source *source, size_t wanted);
/* Reads what is in the pipe now, even if the sink is stuck: an exit must not wait for the reader of our output. Reads no more
 * than that, because processes that the worker left may keep writing. */
void drain_source(struct output *output, struct source *source);
/* End of the pipe: passes on the incomplete line as a line, and closes the pipe. */
void end_source(struct output *output, struct source *source);

/* Does what the thread left undone when it stopped. */
void thread_finish(struct output *output);

/* The only table, created by the first call; and its thread. -1 with errno. */
int table_open(struct output **table);
int table_start_thread(void);
void table_lock(struct output *output);
void table_unlock(struct output *output);
void table_wake(const struct output *output);

/* For the functions below, the caller holds the lock, or there is no thread. */
struct source *table_find(const struct output *output, uint64_t worker);
struct source *table_add(struct output *output, uint64_t worker, uint32_t pid, int fd, const char *prefix, const char *json,
                         bool is_kept);
/* Asks the thread to handle this source. */
void table_wish(struct output *output, struct source *source);
void table_free(struct output *output, struct source *source);
/* Makes the pipe non-blocking and lets the thread read it. */
int table_watch(const struct output *output, struct source *source);
/* Sets FD_CLOEXEC or 0 on all descriptors that survive a re-exec. */
int table_close_on_exec(const struct output *output, int flag);
/* Tells the main loop that there is something to fetch; and clears that if there is nothing. */
void table_signal(const struct output *output);
void table_clear_signal(const struct output *output);
/* Takes effect at once; call it only without a thread or in the thread. */
void thread_set_route(struct output *output, struct wanted_route *wanted);

void table_save(const struct output *output, struct buffer *out);
/* False if the state is malformed. What was read before that is kept. */
bool table_load(struct output *output, struct reader *in);
