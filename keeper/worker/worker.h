/* The state of one worker, and the table of all: internal to the files behind workers.h. */
#pragma once

#include "loop/poller.h"
#include "process/launch.h"
#include "process/tree.h"
#include "protocol/wire.h"

/* In addition to the SPAWN_ bits: its connection to the control socket has not been accepted yet. */
#define WORKER_CONNECTS 0x80000000U
/* Another keeper started it, so its orphans do not become our children. */
#define WORKER_ADOPTED 0x40000000U

/* WORKER_LINGERING: its main process has ended, but not its whole tree. WORKER_TOLD: its end was reported. */
enum worker_state { WORKER_STARTING, WORKER_RUNNING, WORKER_ENDING, WORKER_TOLD, WORKER_LINGERING };

/* How its processes are recognized (kin.c). */
enum { KIN_SESSIONS = 8 };
struct kin {
  uint32_t session;              /* its own session; 0: none */
  uint32_t others[KIN_SESSIONS]; /* known sessions that its processes began; a new one replaces the oldest */
  uint32_t other_count;
  uint32_t keeper;     /* EINHORN_MASTER_PID in its environment */
  uint64_t generation; /* CRANK_GENERATION, if known; 0: unknown */
  uint32_t user;       /* of an adopted worker */
  uint64_t began;      /* start time of its first process */
  uint64_t pipe;       /* inodes that no other process was given: of its output pipe, */
  uint64_t pair;       /* and of its end of the notify pair; 0: none */
};

/* Its notify sockets (notify.h). */
struct notify {
  int pair;            /* the keeper's end; -1: none */
  int bound;           /* -1: none */
  char *path;          /* of `bound`; NULL: none. A leading @ means an abstract name */
  uint32_t queued;     /* datagrams that no commit has consumed yet */
  uint64_t end;        /* inode of the pair's other end */
  uint64_t names_main; /* number of the last event that names a main process (MAINPID=) */
  struct watcher pair_watcher;
  struct watcher path_watcher;
  bool watched;
  bool paused;
  uint8_t fetching; /* bits of the sources whose datagrams carry descriptors and are received elsewhere (fetch.h) */
  uint8_t waiting;  /* those of them for which receiving could not start yet */
};

/* A watchdog: the worker must send WATCHDOG=1 at least once per period (watchdog.h). */
struct watchdog {
  uint32_t period;    /* ms; 0: no watchdog */
  uint64_t until;     /* deadline; 0: its expiry was reported */
  uint32_t strangers; /* messages of other processes since the last valid one; they do not count */
  uint32_t stranger;  /* pid of the last of them */
};

/* A remaining process of an adopted worker, which is not our child. */
struct member {
  struct watcher watcher;
  struct worker *worker;
  int process; /* a pidfd */
};

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
  int process; /* pidfd of a main process that is not our child; -1: none */
  struct watcher process_watcher;
  bool routed;
  bool drained; /* its output was passed on after its end */
  uint8_t ending;
  uint32_t status;
  uint64_t ended_at;
  struct kin kin;
  bool is_undecided;  /* lingering, and a message about its main process is not consumed yet */
  bool is_killed;     /* SIGKILL was sent to all its processes */
  struct tree spared; /* lingering: processes that have not got `signal` yet, because they read what others write */
  uint32_t signal;
  uint64_t spared_until;  /* 0: their writers still exist */
  struct member *members; /* watched processes after the end of the main process */
  uint32_t member_count;
};

struct worker *worker_find(uint64_t id);
uint32_t worker_count(void);
struct worker *worker_at(uint32_t index);
struct worker *worker_add(uint64_t id);
/* Releases everything that the worker holds. */
void worker_release(struct worker *worker);
/* The same, and frees the worker. */
void worker_discard(struct worker *worker);
/* Callbacks of its report and its process. */
void worker_report_ready(struct watcher *watcher);
void worker_process_ready(struct watcher *watcher);
/* Reads waiting datagrams from its notify sockets. False if more may wait, because some must be consumed first. */
bool worker_listen(struct worker *worker);
/* Sets the latest time to report its end. */
void worker_tell_end_by(uint64_t at);
/* Whether a message of the worker waits for its descriptors to be received. */
bool worker_is_receiving(const struct worker *worker);
/* The whole worker is gone: reports that, after everything that it said. */
void worker_begin_end(struct worker *worker);
void worker_close_report(struct worker *worker);
/* Hands its pipe to the output thread. -1 with errno: the caller still owns the pipe. */
int worker_route_output(struct worker *worker, int pipe_fd, struct span prefix, struct span json);
void worker_tell_spawned(const struct worker *worker);
/* Counts a start. Returns its ordinal. */
uint64_t worker_count_start(void);
/* True if its start is decided and reported. After a failure the worker stays in the table until its spawnFailed is
 * consumed. */
bool worker_settle_start(struct worker *worker);
