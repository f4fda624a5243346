/* What one worker is, and the table of them all: for the files that workers.h speaks for. */
#ifndef KEEPER_WORKER_H
#define KEEPER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop/poller.h"
#include "process/launch.h"
#include "process/tree.h"
#include "protocol/wire.h"

/* Beside the SPAWN_ bits: its connection to the control socket has not been accepted yet. */
#define WORKER_CONNECTS 0x80000000U
/* Another keeper started it: what loses its parent does not become our child. */
#define WORKER_ADOPTED 0x40000000U

/* Lingering: its main process has ended, and others of its tree have not. */
enum worker_state { WORKER_STARTING, WORKER_RUNNING, WORKER_ENDING, WORKER_TOLD, WORKER_LINGERING };

/* By what its processes are known (kin.c). */
enum { KIN_SESSIONS = 8 };
struct kin {
  uint32_t session;    /* its own; 0: none */
  uint32_t others[KIN_SESSIONS]; /* sessions that processes of it have begun, as far as they were met; the oldest gives way */
  uint32_t other_count;
  uint32_t keeper;     /* EINHORN_MASTER_PID of its environment */
  uint64_t generation; /* CRANK_GENERATION, where it is known */
  uint32_t user;       /* of one that was adopted */
  uint64_t began;      /* when its first process did */
  uint64_t pipe;       /* inodes that nothing else was given: its output's, and that of its end of the notify pair; 0: none */
  uint64_t pair;
};

/* Its notify sockets (notify.h). */
struct notify {
  int pair;         /* the keeper's end; -1 for none */
  int bound;        /* -1 for none */
  char *path;       /* of `bound`; NULL for none. A leading @ is an abstract one */
  uint32_t queued;  /* datagrams that no commit has consumed */
  uint64_t end;     /* the inode of the pair's other end */
  uint64_t names_main; /* the number of the last event that names a main process (MAINPID=) */
  struct watcher pair_watcher;
  struct watcher path_watcher;
  bool watched;
  bool paused;
  uint8_t fetching; /* bits of the sources whose datagrams bring descriptors, and are received elsewhere (fetch.h) */
  uint8_t waiting;  /* of those, the ones for which that could not begin yet */
};

/* It has to say WATCHDOG=1 at least once in a period (watchdog.h). */
struct watchdog {
  uint32_t period;    /* ms; 0: it need not */
  uint64_t until;     /* 0: it was told that nothing came */
  uint32_t strangers; /* what other processes said since it was fed last, which does not count */
  uint32_t stranger;  /* the last of them */
};

/* A process of an adopted worker's rest, which is no child of ours. */
struct member {
  struct watcher watcher;
  struct worker *worker;
  int process; /* a pidfd */
};

/* How a main process has ended, as `exited` says it. */
enum { ENDING_EXIT = 0, ENDING_SIGNAL = 1, ENDING_CORE = 2, ENDING_UNKNOWN = 3 };

struct worker {
  uint64_t id;
  uint32_t pid;
  uint32_t flags;
  uint64_t start_time;
  enum worker_state state;
  uint64_t start; /* ordinal of this start */
  struct report report;
  struct watcher report_watcher;
  struct notify notify;
  struct watchdog watchdog;
  int process; /* pidfd of one that is not our child; -1 */
  struct watcher process_watcher;
  bool routed;
  bool drained; /* its output, after its end */
  uint8_t ending;
  uint32_t status;
  uint64_t ended_at;
  struct kin kin;
  bool is_undecided; /* lingering, and what it said about its main process is not consumed yet */
  bool is_killed;    /* SIGKILL was sent to all of it */
  struct tree spared; /* lingering: those that have not got `signal` yet, for they read what others write */
  uint32_t signal;
  uint64_t spared_until; /* 0: what they read from is there */
  struct member *members; /* watched: its main process has ended */
  uint32_t member_count;
};

struct worker *worker_find(uint64_t id);
uint32_t worker_count(void);
struct worker *worker_at(uint32_t index);
struct worker *worker_add(uint64_t id);
/* Lets go of all that it holds. */
void worker_release(struct worker *worker);
/* The same, and it is no more. */
void worker_discard(struct worker *worker);
/* Its report, and its process, are ready. */
void worker_report_ready(struct watcher *watcher, uint32_t events);
void worker_process_ready(struct watcher *watcher, uint32_t events);
/* Reads what waits on its notify sockets. False if that is not all that it said: some of it has to be consumed first. */
bool worker_listen(struct worker *worker);
/* The latest time to report its end. */
void worker_tell_end_by(uint64_t at);
/* Whether something that it has said waits for the descriptors that it brings. */
bool worker_is_receiving(const struct worker *worker);
/* All of it is gone: tells that, behind all that it said. */
void worker_begin_end(struct worker *worker);
void worker_close_report(struct worker *worker);
/* Hands its pipe to the output thread. -1 with errno: the pipe is still the caller's. */
int worker_route_output(struct worker *worker, int pipe_fd, struct span prefix, struct span json);
void worker_tell_spawned(const struct worker *worker);
/* Counts a start; its number. */
uint64_t worker_count_start(void);
/* True when its start is decided, and told. One that failed stays known, as told, until its spawnFailed is consumed. */
bool worker_settle_start(struct worker *worker);

#endif
