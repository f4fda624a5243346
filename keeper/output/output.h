/* Worker output: a second thread reads lines from the workers' pipes, writes them to a sink, and keeps the last ones of each
 * worker. It never delays the main loop. Call all functions from the main thread only; none blocks on a sink. Functions that
 * return int return 0, or -1 with errno.
 *
 * A text line comes after `prefix`: %t is the time as `Jan _2 15:04:05.000`, %d as `2006/01/02 15:04:05`, %T as
 * `Jan _2 15:04:05` (all local), %p the worker's pid, %% a percent sign. JSON is one object per line:
 * `{"time":"…",FRAGMENT,"pid":1,"line":"…"}`, with invalid UTF-8 replaced by U+FFFD; `json` is the fragment, maybe empty. The
 * time is when the end of the line was read. Prefix and fragment have at most 4096 bytes. Lines longer than 64 KiB: pass.h.
 *
 * While a sink is stuck (a pipe without a reader), workers are not read, so they wait; nothing else does. A sink that fails
 * loses lines until it works again. Failures and losses are reported on standard error, at most once a minute. */
#pragma once

#include "app/basics.h"
#include "protocol/wire.h"

/* Creates the event descriptor. The thread starts with the first add, log or format. Further calls have no effect. */
int output_start(void);

/* Reads lines from `pipe_fd`: the thread owns it, sets O_NONBLOCK and closes it (on failure the caller still owns it). `pid` 0:
 * not known yet, see output_pid. `keep`: keeps its lines for output_follow; the last bytes for output_tail are always kept. */
int output_add(uint64_t worker, uint32_t pid, int pipe_fd, const char *prefix, const char *json, int keep);
void output_pid(uint64_t worker, uint32_t pid);

/* The worker is gone: reads what is in its pipe now, even if the sink is stuck (then 16 MiB are queued, and more is lost and
 * counted). After that it reports the worker as drained: output_eventfd() becomes readable, and output_next_drained returns 1
 * with the worker's number (0: none left). The descriptor is cleared when output_next_drained and output_next_ready have
 * nothing left. */
void output_drain(uint64_t worker);
int output_eventfd(void);
int output_next_drained(uint64_t *worker);

/* Copies the worker's last raw bytes (at most cap, and 8 KiB), from the start of a line if possible, including an incomplete
 * line at the end. Returns the length. */
size_t output_tail(uint64_t worker, char *buf, size_t cap);
/* Forgets the worker and closes its pipe, after passing on its incomplete line as a line. */
void output_remove(uint64_t worker);

/* Writes crank's own lines, each unbroken and in order: 1 stdout, 2 stderr, 3 the log socket (stderr if there is none), one
 * datagram per line. Adds a newline if the last line has none. A stuck sink has a queue of 256 KiB; more is lost, which is
 * reported when the sink works again. -1 only if the thread cannot be started, or with EINVAL for an unknown sink. */
int output_log(int sink, const char *bytes, size_t n);
/* format 0 text, 1 JSON; sink 0 stdout, 2 stderr, 1 datagrams to the unix socket at `address`. The address is resolved for each
 * datagram, so its reader may start later and restart. `header` comes before each datagram, and is a template like a prefix. */
int output_format(int format, int sink, struct span address, const char *header);

/* A follower (a control connection) gets the last `lines` of `worker` (0: of all), and with `follow` all later ones. Without,
 * it gets a `logEnd` after them and is then removed. It gets complete control notifications, one per line. A line longer than 8
 * KiB comes in pieces; all but the last have "partial":true. output_take copies as many complete notifications as fit into
 * `cap` (64 KiB always hold one). It also counts the lines that were lost since the last call because the follower's queue of
 * 256 KiB was full. output_eventfd becomes readable when there is something to take. output_next_ready returns the follower (0:
 * none left), and returns it again only when something is left after a take, or arrives after it took everything. */
int output_follow(uint64_t follower, uint64_t worker, uint32_t lines, int follow);
void output_unfollow(uint64_t follower);
int output_next_ready(uint64_t *follower);
size_t output_take(uint64_t follower, char *buf, size_t cap, uint64_t *dropped);

/* Waits at most timeout_ms until crank's own lines and all lines read from workers are written. -1 with ETIMEDOUT. */
int output_flush(int timeout_ms);

/* For the re-exec. output_stop ends the thread between two writes; it waits for a running write to a file. output_save writes
 * the whole state (descriptor numbers of pipes, incomplete lines, kept lines, followers, queued lines, format) to `fd` from its
 * current offset. The saved descriptors lose FD_CLOEXEC until output_restore or output_start. output_restore reads the state,
 * of this or any earlier version, before the thread starts. After a failed exec, output_start continues with the current
 * state. */
void output_stop(void);
int output_save(int fd);
int output_restore(int fd);
