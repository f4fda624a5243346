/* Worker output: a second thread that passes lines on from the workers' pipes to a sink, keeps the last ones of each
 * worker, and never holds up the main loop. All functions are called from the main thread only, and none blocks on a
 * sink. Functions that return int return 0, or -1 with errno.
 *
 * Text goes behind `prefix`: %t is the time as `Jan _2 15:04:05.000`, %d as `2006/01/02 15:04:05`, %T as `Jan _2
 * 15:04:05` (all local), %p the worker's pid, %% a per cent sign. JSON is one object a line: `{"time":"…Z",FRAGMENT,
 * "pid":1,"line":"…"}`, where what is not UTF-8 has become U+FFFD, and `json` is the fragment (may be empty). The time is
 * when the line's end was read. Neither is longer than 4096 bytes. How lines longer than 64 KiB go: pass.h.
 *
 * A sink that is stuck (a pipe without a reader) stops the reading of workers, so that they wait, and nothing else; one
 * that fails loses lines until it works again. Both failures and losses are told on standard error, at most once a minute. */
#ifndef KEEPER_OUTPUT_H
#define KEEPER_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

/* Makes what output_eventfd gives. The thread starts with the first add, log or format. Calling it again is harmless. */
int output_start(void);

/* Passes on what comes out of `pipe_fd`: the thread owns it from here on, sets O_NONBLOCK on it and closes it (when this
 * fails, it is still the caller's). `pid` 0: not known yet, see output_pid. `keep`: its lines are kept for output_follow;
 * the last ones for output_tail are kept in any case. */
int output_add(uint64_t worker, uint32_t pid, int pipe_fd, const char *prefix, const char *json, int keep);
void output_pid(uint64_t worker, uint32_t pid);

/* The worker is gone: read what is in its pipe now, also when the sink is stuck (16 MiB wait for it then, more is lost
 * and counted), then report it drained: output_eventfd() becomes readable and output_next_drained returns 1 with its
 * number (0: no more). The descriptor is clear when neither that nor output_next_ready has any more. */
void output_drain(uint64_t worker);
int output_eventfd(void);
int output_next_drained(uint64_t *worker);

/* Copies the worker's last raw bytes (at most cap, and 8 KiB), from the start of a line if there is one; a half line
 * at the end included. Returns how many. */
size_t output_tail(uint64_t worker, char *buf, size_t cap);
/* Forgets the worker and closes its pipe. Its half line is passed on as a line first. */
void output_remove(uint64_t worker);

/* crank's own lines, each whole, in order with each other: 1 stdout, 2 stderr, 3 the log socket (stderr if there is
 * none), one datagram a line. A newline is added if the last line lacks one. 256 KiB wait for a sink that is stuck; more
 * is lost, and told when it works again. -1 only when the thread cannot be started, or for no such sink. */
int output_log(int sink, const char *bytes, size_t n);
/* format 0 text, 1 json; sink 0 stdout, 2 stderr, 1 datagrams to the unix socket at `address`: the address is looked up
 * for each, so the reader may come later, go, and come back. `header` comes before each datagram, and is a template as a
 * prefix is. */
int output_format(int format, int sink, struct span address, const char *header);

/* A follower (a control connection) wants the last `lines` of `worker` (0: of all), and with `follow` all later ones;
 * without, it gets a `logEnd` behind them and is then forgotten. What it gets are complete control notifications, one a
 * line; pieces of a line longer than 8 KiB have "partial":true but for the last. output_take copies as many whole ones
 * as `cap` holds (64 KiB always hold one) and counts the lines that were lost since the last time because it did not
 * take them: 256 KiB wait. output_eventfd becomes readable when there is some; output_next_ready says for whom (0:
 * no more), again only after it took something and some is left, or something came after it had taken all. */
int output_follow(uint64_t follower, uint64_t worker, uint32_t lines, int follow);
void output_unfollow(uint64_t follower);
int output_next_ready(uint64_t *follower);
size_t output_take(uint64_t follower, char *buf, size_t cap, uint64_t *dropped);

/* Waits until crank's own lines and what was read of the workers' are written, at most timeout_ms. -1 with ETIMEDOUT. */
int output_flush(int timeout_ms);

/* For in-place execution. output_stop ends the thread between two writes (it waits for one to a file that is under way).
 * output_save writes everything (pipes' descriptor numbers, half lines, kept lines, followers, queued lines, format) to
 * `fd` from its current offset; the descriptors that it names lose FD_CLOEXEC until output_restore or output_start.
 * output_restore reads that back, of this or any earlier version, before the thread is started. After a failed
 * execution output_start goes on with what there was. */
void output_stop(void);
int output_save(int fd);
int output_restore(int fd);

#endif
