#include "process/peek.h"

#include <poll.h>
#include <sys/socket.h>

#include "app/clock.h"
#include "app/descriptors.h"
#include "app/memory.h"
#include "process/child.h"
#include "process/peek_reader.h"

enum {
  PATIENCE_MS = 100,      /* limit for one answer */
  LITTLE_PATIENCE_MS = 1, /* limit when too much time was lost already */
  BUDGET_MS = 300,        /* maximum time lost per period */
  PERIOD_MS = 5000,       /* a process that has blocked a reader is skipped for this long, too */
  STARVED_MS = 2000,      /* limit for a reader that is runnable but gets no processor */
  MOST_HELD_UP = 256,
  MOST_READERS = 32,
};

static int channel = -1;
static uint32_t reader;
/* Readers that are not reaped yet; a new one replaces the oldest entry. */
static uint32_t readers[MOST_READERS];
static uint32_t next_reader;

static struct {
  uint32_t pid;
  uint64_t until;
} held_up[MOST_HELD_UP];
static uint32_t next_held_up;

static uint64_t period_until;
static uint64_t waited_ms; /* time lost in this period */

/* This process is a fork of the keeper that can itself be killed. */
static bool is_alone;

void peek_without_reader(void) {
  is_alone = true;
}

bool peek_is_open(void) {
  return channel >= 0;
}

void peek_close(void) {
  if (channel >= 0) (void)close(channel);
  channel = -1;
  reader = 0;
}

static bool open_reader(void) {
  int ends[2];
  if (channel >= 0) return true;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return false;
  pid_t child = memory_fork();
  if (child == 0) peek_reader_run(ends[1]);
  (void)close(ends[1]);
  if (child < 0) {
    (void)close(ends[0]);
    return false;
  }
  channel = ends[0];
  reader = (uint32_t)child;
  readers[next_reader++ % MOST_READERS] = reader;
  return true;
}

bool peek_has_child(uint32_t pid) {
  for (uint32_t i = 0; i < MOST_READERS; i++) {
    if (readers[i] == pid) return true;
  }
  return false;
}

bool peek_child_gone(const siginfo_t *info) {
  for (uint32_t i = 0; i < MOST_READERS; i++) {
    if (readers[i] != (uint32_t)info->si_pid) continue;
    child_reap(info->si_pid);
    if (readers[i] == reader) peek_close();
    readers[i] = 0;
    return true;
  }
  return false;
}

bool peek_is_held_up(uint32_t pid) {
  uint64_t now = clock_now();
  for (uint32_t i = 0; i < MOST_HELD_UP; i++) {
    if (held_up[i].pid == pid && now < held_up[i].until) return true;
  }
  return false;
}

static uint64_t patience(void) {
  uint64_t now = clock_now();
  if (now >= period_until) {
    period_until = now + PERIOD_MS;
    waited_ms = 0;
  }
  return waited_ms < BUDGET_MS ? PATIENCE_MS : LITTLE_PATIENCE_MS;
}

static void give_up(uint32_t pid, uint64_t since) {
  uint64_t now = clock_now();
  waited_ms += now - since;
  held_up[next_held_up].pid = pid;
  held_up[next_held_up].until = now + PERIOD_MS;
  next_held_up = (next_held_up + 1) % MOST_HELD_UP;
  (void)kill((pid_t)reader, SIGKILL);
  peek_close();
}

/* Whether the reader only lacks a processor and is not blocked. Its own stat file never blocks: it is our fork and executes
 * nothing. */
static bool is_starved(void) {
  char path[PATH_ROOM];
  char text[256];
  (void)snprintf(path, sizeof path, "/proc/%u/stat", reader);
  (void)descriptors_read_text(path, text, sizeof text);
  const char *name_end = strrchr(text, ')');
  return name_end && name_end[1] == ' ' && name_end[2] == 'R';
}

/* 1: there is a packet, or the reader has ended; 0: it is late. */
static int wait_for_packet(uint64_t since) {
  uint64_t until = since + patience();
  for (;;) {
    uint64_t now = clock_now();
    struct pollfd waited = {.fd = channel, .events = POLLIN};
    int ready = poll(&waited, 1, now < until ? (int)(until - now) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready != 0) return 1;
    if (now < until) continue;
    if (now >= since + STARVED_MS || !is_starved()) return 0;
    until = now + PATIENCE_MS;
  }
}

/* Like answer_file, in this process. */
static size_t read_here(const struct question *question, void *bytes) {
  int fd = question->kind == READ_FILE ? open(question->path, O_RDONLY | O_CLOEXEC) : -1;
  size_t length = 0;
  while (fd >= 0 && length < question->room) {
    ssize_t n = read(fd, (char *)bytes + length, question->room - length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += (size_t)n;
  }
  if (fd >= 0) (void)close(fd);
  return length;
}

static size_t ask(uint32_t pid, enum kind kind, const char *name, size_t units, void *bytes, size_t room) {
  static struct packet packet;
  struct question question = {.kind = kind, .room = units};
  size_t length = 0;
  (void)snprintf(question.path, sizeof question.path, "/proc/%u/%s", pid, name);
  if (is_alone) return read_here(&question, bytes);
  if (peek_is_held_up(pid) || !open_reader()) return 0;
  uint64_t since = clock_now();
  if (send(channel, &question, sizeof question, MSG_NOSIGNAL) < 0) {
    peek_close();
    return 0;
  }
  for (packet.mark = MORE; packet.mark == MORE;) {
    if (wait_for_packet(since) == 0) {
      give_up(pid, since);
      return 0;
    }
    ssize_t n = recv(channel, &packet, sizeof packet, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      peek_close();
      return 0;
    }
    size_t more = (size_t)n - 1 < room - length ? (size_t)n - 1 : room - length;
    memcpy((char *)bytes + length, packet.bytes, more);
    length += more;
  }
  return length;
}

size_t peek_file(uint32_t pid, const char *name, void *bytes, size_t room) {
  return ask(pid, READ_FILE, name, room, bytes, room);
}

/* Returns how many were answered. The next one then blocks the reader, or the reader has ended. */
static size_t ask_stats(const struct question *question,
                        void (*take)(void *context, uint32_t pid, const char *text, size_t length), void *context) {
  static struct packet packet;
  if (send(channel, question, sizeof *question, MSG_NOSIGNAL) < 0) {
    peek_close();
    return 0;
  }
  for (size_t i = 0; i < question->count; i++) {
    uint64_t since = clock_now();
    if (wait_for_packet(since) == 0) {
      give_up(question->pids[i], since);
      return i;
    }
    ssize_t n;
    do n = recv(channel, &packet, sizeof packet - 1, 0);
    while (n < 0 && errno == EINTR);
    if (n <= 0) {
      peek_close();
      return i;
    }
    packet.bytes[n - 1] = '\0';
    take(context, question->pids[i], packet.bytes, (size_t)n - 1);
  }
  return question->count;
}

void peek_stats(const uint32_t *pids, size_t count, void (*take)(void *context, uint32_t pid, const char *text, size_t length),
                void *context) {
  for (size_t at = 0; at < count;) {
    struct question question = {.kind = READ_STATS};
    if (peek_is_held_up(pids[at]) || !open_reader()) {
      take(context, pids[at++], "", 0);
      continue;
    }
    for (size_t i = at; i < count && question.count < MOST_AT_ONCE && !peek_is_held_up(pids[i]); i++) {
      question.pids[question.count++] = pids[i];
    }
    size_t answered = ask_stats(&question, take, context);
    at += answered;
    if (answered < question.count) take(context, pids[at++], "", 0);
  }
}

size_t peek_link(uint32_t pid, const char *name, void *bytes, size_t room) {
  return ask(pid, READ_LINK, name, room, bytes, room);
}

bool peek_identity(uint32_t pid, const char *name, uint64_t identity[2]) {
  return ask(pid, READ_IDENTITY, name, 1, identity, 2 * sizeof *identity) == 2 * sizeof *identity;
}

size_t peek_inodes(uint32_t pid, uint64_t *inodes, size_t room) {
  return ask(pid, READ_INODES, "fd", room, inodes, room * sizeof *inodes) / sizeof *inodes;
}
