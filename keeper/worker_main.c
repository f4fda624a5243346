/* A worker whose main process is another one now, as MAINPID= says (sd_notify(3)): it is watched by pidfd, and counts as the
 * worker from then on. The process that was started may go on or end; if it ends, the main one becomes the keeper's child. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "events.h"
#include "loop.h"
#include "memory.h"
#include "output.h"
#include "processes.h"
#include "protocol.h"
#include "worker.h"
#include "workers.h"

/* Its process group when it moved: the number that it was started with may be nobody's by then. */
struct moved {
  uint64_t worker;
  uint32_t group;
};

static struct moved *moved;
static uint32_t count;

static struct moved *find(uint64_t worker) {
  for (uint32_t i = 0; i < count; i++) {
    if (moved[i].worker == worker) return &moved[i];
  }
  return NULL;
}

static struct moved *add(uint64_t worker) {
  moved = memory_resize(moved, ((size_t)count + 1) * sizeof *moved);
  moved[count] = (struct moved){.worker = worker};
  return &moved[count++];
}

pid_t worker_moved_group(const struct worker *worker) {
  const struct moved *found = find(worker->id);
  return found ? (pid_t)found->group : 0;
}

void worker_forget_main(uint64_t worker) {
  struct moved *found = find(worker);
  if (!found) return;
  *found = moved[--count];
  if (count > 0) return;
  free(moved);
  moved = NULL;
}

/* Holds and watches the process; -1 with errno and the step. */
static int hold(uint64_t worker, uint32_t pid, uint64_t start_time, const char **step) {
  *step = "process";
  int fd = processes_open(pid, start_time);
  if (fd < 0) return -1;
  *step = "watch";
  if (loop_watch(fd, WATCH_PROCESS, worker, EPOLLIN) == 0) return fd;
  int error = errno;
  (void)close(fd);
  errno = error;
  return -1;
}

static void move(struct worker *worker, uint32_t pid, uint64_t start_time, int process) {
  struct moved *place = find(worker->id);
  if (!place) place = add(worker->id);
  pid_t group = getpgid((pid_t)pid);
  /* Whoever is in crank's own group is ended alone. */
  place->group = group > 1 && group != getpgrp() ? (uint32_t)group : 0;
  if (worker->process >= 0) {
    loop_forget(worker->process);
    (void)close(worker->process);
  }
  worker->process = process;
  worker->pid = pid;
  worker->start_time = start_time;
  if (worker->routed) output_pid(worker->id, pid);
  struct buffer *event = events_begin(MESSAGE_moved);
  buffer_u64(event, worker->id);
  buffer_u32(event, pid);
  buffer_u64(event, start_time);
  events_post(worker->id);
}

void workers_follow_main(struct reader *command) {
  uint64_t id = read_u64(command);
  uint32_t pid = read_u32(command);
  uint64_t start_time = read_u64(command);
  struct worker *worker = worker_find(id);
  if (!worker || worker->state != WORKER_RUNNING) return; /* its end is on the way, or was told */
  const char *step = "";
  int process = hold(id, pid, start_time, &step);
  if (process < 0) events_failed(COMMAND_followMain, id, step, errno);
  else move(worker, pid, start_time, process);
}

void worker_main_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    buffer_u64(out, moved[i].worker);
    buffer_u32(out, moved[i].group);
  }
}

bool worker_main_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) add(read_u64(in))->group = read_u32(in);
  return !in->failed;
}
