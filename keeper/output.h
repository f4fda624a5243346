/* Worker output: a second thread that passes lines on from the workers' pipes to a sink, keeps the last ones of each
 * worker, and never holds up the main loop. All functions are called from the main thread only, and none blocks on a
 * sink. Functions that return int return 0, or -1 with errno. */
#ifndef KEEPER_OUTPUT_H
#define KEEPER_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* Starts the thread (lazily: at the first add, log or format). Calling it again is harmless. */
int output_start(void);

/* Passes on what comes out of `pipe_fd` (the thread owns it from here on, sets O_NONBLOCK on it and closes it).
 * `pid` 0: not known yet, see output_pid. `keep`: last lines are kept for output_tail and output_follow. */
int output_add(uint64_t worker, uint32_t pid, int pipe_fd, const char *prefix, const char *json, int keep);
void output_pid(uint64_t worker, uint32_t pid);

/* The worker is gone: read its pipe until EAGAIN or end, then report it drained: output_eventfd() becomes readable and
 * output_next_drained returns 1 with its number (0: no more; it clears the eventfd when there is none left). */
void output_drain(uint64_t worker);
int output_eventfd(void);
int output_next_drained(uint64_t *worker);

/* Copies the worker's last raw lines (at most cap bytes, from the start of a line); returns how many bytes. */
size_t output_tail(uint64_t worker, char *buf, size_t cap);
/* Forgets the worker and closes its pipe. Its half line is passed on as a line first. */
void output_remove(uint64_t worker);

/* crank's own lines, written in order with worker output of the same sink: 1 stdout, 2 stderr, 3 the syslog sink. */
int output_log(int sink, const char *bytes, size_t n);
/* format 0 text, 1 json; sink 0 stdout, 1 datagrams (a descriptor of the thread's own, which it closes), `header` first. */
int output_format(int format, int sink, int datagram_fd, const char *header);

/* A follower (a control connection) wants the last `lines` of `worker` (0: of all), and with `follow` all later ones.
 * What it gets are complete control notifications, one a line. output_take copies whole lines, and counts those that
 * were dropped since the last time because it did not take them. output_eventfd becomes readable when there is some;
 * output_next_ready says for whom (0: nobody more). */
int output_follow(uint64_t follower, uint64_t worker, uint32_t lines, int follow);
void output_unfollow(uint64_t follower);
int output_next_ready(uint64_t *follower);
size_t output_take(uint64_t follower, char *buf, size_t cap, uint64_t *dropped);

/* Waits until all queued lines are written, at most timeout_ms. 0, or -1 with ETIMEDOUT. */
int output_flush(int timeout_ms);

/* For in-place execution. output_stop ends the thread between two writes. output_save writes everything (pipes'
 * descriptor numbers, half lines, kept lines, followers, queued lines, format) to `fd` from its current offset;
 * the descriptors it names lose FD_CLOEXEC (output_restore gives it back). output_restore reads that back, of this or any earlier version, before the thread is started. After a failed
 * execution output_start goes on with what there was. */
void output_stop(void);
int output_save(int fd);
int output_restore(int fd);

#endif
