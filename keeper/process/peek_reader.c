#include "process/peek_reader.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "app/descriptors.h"

static bool put(int channel, char mark, struct packet *packet, size_t length) {
  packet->mark = mark;
  ssize_t n;
  do n = send(channel, packet, 1 + length, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n > 0;
}

static void answer_file(int channel, const struct question *question, struct packet *packet) {
  int fd = open(question->path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  for (size_t left = question->room; fd >= 0 && left > 0;) {
    size_t room = PACKET_BYTES - length < left ? PACKET_BYTES - length : left;
    ssize_t n = read(fd, packet->bytes + length, room);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += (size_t)n;
    left -= (size_t)n;
    if (length < PACKET_BYTES) continue;
    if (!put(channel, MORE, packet, length)) _exit(0);
    length = 0;
  }
  if (fd >= 0) (void)close(fd);
  (void)put(channel, LAST, packet, length);
}

static void answer_link(int channel, const struct question *question, struct packet *packet) {
  ssize_t n = readlink(question->path, packet->bytes, question->room < PACKET_BYTES ? question->room : PACKET_BYTES);
  (void)put(channel, LAST, packet, n > 0 ? (size_t)n : 0);
}

static void answer_identity(int channel, const struct question *question, struct packet *packet) {
  struct stat status;
  bool is_there = stat(question->path, &status) == 0;
  const uint64_t identity[2] = {is_there ? status.st_dev : 0, is_there ? status.st_ino : 0};
  memcpy(packet->bytes, identity, sizeof identity);
  (void)put(channel, LAST, packet, is_there ? sizeof identity : 0);
}

/* The inode in `pipe:[INODE]` or `socket:[INODE]`; 0 for anything else. */
static uint64_t inode_of(const char *target) {
  bool has_inode = strncmp(target, "pipe:[", 6) == 0 || strncmp(target, "socket:[", 8) == 0;
  uint64_t inode = 0;
  if (!has_inode) return 0;
  for (const char *at = strchr(target, '[') + 1; *at >= '0' && *at <= '9'; at++) inode = inode * 10 + (uint64_t)(*at - '0');
  return inode;
}

/* The layout of getdents64(2); opendir(3) would allocate. */
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[];
};

static void answer_inodes(int channel, const struct question *question, struct packet *packet) {
  _Alignas(struct entry) static char entries[PACKET_BYTES];
  int directory = open(question->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  size_t length = 0;
  size_t left = question->room;
  for (long n; directory >= 0 && left > 0 && (n = syscall(SYS_getdents64, directory, entries, sizeof entries)) > 0;) {
    for (long at = 0; at < n && left > 0;) {
      const struct entry *entry = (const void *)(entries + at);
      char target[PATH_ROOM];
      at += entry->length;
      ssize_t size = readlinkat(directory, entry->name, target, sizeof target - 1);
      target[size > 0 ? size : 0] = '\0';
      uint64_t inode = inode_of(target);
      if (inode == 0) continue;
      memcpy(packet->bytes + length, &inode, sizeof inode);
      length += sizeof inode;
      left--;
      if (length < PACKET_BYTES) continue;
      if (!put(channel, MORE, packet, length)) _exit(0);
      length = 0;
    }
  }
  if (directory >= 0) (void)close(directory);
  (void)put(channel, LAST, packet, length);
}

/* One packet per process; the first missing one shows which process blocks the reader. */
static void answer_stats(int channel, const struct question *question, struct packet *packet) {
  for (uint32_t i = 0; i < question->count && i < MOST_AT_ONCE; i++) {
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "/proc/%u/stat", question->pids[i]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, packet->bytes, STAT_BYTES - 1) : 0;
    if (fd >= 0) (void)close(fd);
    if (!put(channel, LAST, packet, n > 0 ? (size_t)n : 0)) _exit(0);
  }
}

_Noreturn void peek_reader_run(int channel) {
  static struct packet packet;
  struct question question;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)descriptors_close_but(&(int){channel}, 1);
  for (;;) {
    ssize_t n = recv(channel, &question, sizeof question, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n != (ssize_t)sizeof question) _exit(0);
    if (question.kind == READ_FILE) answer_file(channel, &question, &packet);
    else if (question.kind == READ_LINK) answer_link(channel, &question, &packet);
    else if (question.kind == READ_IDENTITY) answer_identity(channel, &question, &packet);
    else if (question.kind == READ_STATS) answer_stats(channel, &question, &packet);
    else answer_inodes(channel, &question, &packet);
  }
}
