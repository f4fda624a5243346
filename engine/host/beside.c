/* Operations that may block forever run in a thread: replacing a file on a disk that may hang, and reading a file of /proc
 * whose process may block the reader. The thread writes the result to a pipe: four bytes, 0 or the error number, then the bytes
 * read. A thread that hangs blocks nothing else. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "write.h"

enum { THREAD_STACK = 256 * 1024 };

struct replacement {
  int directory;
  int answer;
  mode_t mode;
  char *name;
  char *temporary;
  size_t length;
  u8 bytes[];
};

/* Returns 0, or the error number; then the temporary file is removed. */
static int replace(const struct replacement *want) {
  int fd = openat(want->directory, want->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  /* Set before there is content that others must not read, and independent of the umask. */
  bool is_written = fchmod(fd, want->mode) == 0 && write_whole(fd, want->bytes, want->length) && fsync(fd) == 0;
  int error = is_written ? 0 : errno;
  if (close(fd) < 0 && error == 0) error = errno;
  if (error == 0 && renameat(want->directory, want->temporary, want->directory, want->name) < 0) error = errno;
  if (error != 0) {
    (void)unlinkat(want->directory, want->temporary, 0);
    return error;
  }
  /* The new name must be on the disk as well. */
  return fsync(want->directory) < 0 ? errno : 0;
}

static void release(struct replacement *want) {
  if (want->directory >= 0) (void)close(want->directory);
  if (want->answer >= 0) (void)close(want->answer);
  free(want->name);
  free(want->temporary);
  free(want);
}

static void *replace_beside(void *argument) {
  struct replacement *want = argument;
  s32 error = replace(want);
  /* Four bytes always fit into an empty pipe. If its other end is closed, the answer is not needed. */
  ssize_t ignored = write(want->answer, &error, sizeof error);
  (void)ignored;
  release(want);
  return NULL;
}

/* Copies all arguments, because the call ends before the thread. NULL with errno. */
static struct replacement *prepare(int directory, const char *name, const char *temporary, struct bytes bytes) {
  struct replacement *want = malloc(sizeof *want + bytes.length);
  if (want == NULL) return NULL;
  *want = (struct replacement){.answer = -1, .length = bytes.length};
  memcpy(want->bytes, bytes.at, bytes.length);
  want->name = strdup(name);
  want->temporary = strdup(temporary);
  want->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
  if (want->name != NULL && want->temporary != NULL && want->directory >= 0) return want;
  int error = want->directory < 0 ? errno : ENOMEM;
  release(want);
  errno = error;
  return NULL;
}

/* Starts a thread with all signals blocked: only the main thread handles them. Returns 0, or the error number. */
static int start(void *(*work)(void *), void *want) {
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return EINVAL;
  pthread_t thread;
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    /* The default size is the stack limit of the process, which may be more than the address space has (ulimit -v). */
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
    error = pthread_create(&thread, &attributes, work, want);
    (void)pthread_attr_destroy(&attributes);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error == 0) (void)pthread_detach(thread);
  return error;
}

/* startReplacing(directory, name, temporary, bytes, mode): a descriptor that delivers the error number as four bytes */
static value replacing_start(struct arguments *in) {
  int directory = take_fd(in, 0);
  const char *name = take_text(in, 1);
  const char *temporary = take_text(in, 2);
  struct bytes bytes = take_bytes(in, 3);
  mode_t mode = (mode_t)take_int(in, 4, 0, 07777);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct replacement *want = prepare(directory, name, temporary, bytes);
  if (want == NULL) return result_of(-1);
  want->mode = mode;
  int ends[2] = {-1, -1};
  int error = pipe2(ends, O_CLOEXEC) < 0 ? errno : 0;
  want->answer = ends[1];
  if (error == 0) error = start(replace_beside, want);
  if (error == 0) return value_int(ends[0]);
  if (ends[0] >= 0) (void)close(ends[0]);
  release(want);
  return value_int(-error);
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

struct reading {
  int answer;
  char *path;
  size_t limit;
  size_t room;
  u8 *bytes;
};

/* FIRST_ROOM is doubled when necessary. MOST_AT_ONCE: files of /proc/sys answer ENOMEM to a read of 4 MiB (KMALLOC_MAX_SIZE),
 * even if they are short. */
enum { FIRST_ROOM = 64 * 1024, MOST_AT_ONCE = 1024 * 1024 };

/* Makes room for at least one more byte, up to one byte more than the limit. False if there is no memory. */
static bool make_room(struct reading *want, size_t length) {
  if (length < want->room) return true;
  size_t room = want->room == 0 ? FIRST_ROOM : want->room * 2;
  if (room > want->limit + 1) room = want->limit + 1;
  u8 *bytes = realloc(want->bytes, room);
  if (bytes == NULL) return false;
  want->bytes = bytes;
  want->room = room;
  return true;
}

/* Returns the number of bytes, or the negative error number. */
static ssize_t read_open(struct reading *want, int fd) {
  size_t length = 0;
  while (length <= want->limit) {
    if (!make_room(want, length)) return -ENOMEM;
    size_t room = want->room - length;
    ssize_t count = read(fd, want->bytes + length, room < MOST_AT_ONCE ? room : MOST_AT_ONCE);
    if (count == 0) return (ssize_t)length;
    if (count > 0) length += (size_t)count;
    else if (errno != EINTR) return -errno;
  }
  return -EFBIG;
}

static ssize_t read_whole(struct reading *want) {
  int fd = open(want->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t length = read_open(want, fd);
  (void)close(fd);
  return length;
}

static void end_reading(struct reading *want) {
  free(want->bytes);
  free(want->path);
  free(want);
}

static void *read_beside(void *argument) {
  struct reading *want = argument;
  ssize_t length = read_whole(want);
  s32 error = length < 0 ? (s32)-length : 0;
  /* The write waits for the reader if the bytes do not fit into the pipe. If its other end is closed, they are not needed. */
  if (write(want->answer, &error, sizeof error) == (ssize_t)sizeof error && length > 0)
    (void)write_whole(want->answer, want->bytes, (size_t)length);
  (void)close(want->answer);
  end_reading(want);
  return NULL;
}

enum { MOST_READ = 64 << 20 };

/* startReading(path, limit): a descriptor that delivers the error number as four bytes, then the file's content */
static value reading_start(struct arguments *in) {
  const char *path = take_text(in, 0);
  size_t limit = (size_t)take_int(in, 1, 0, MOST_READ);
  if (!are_right(in)) return VALUE_UNDEFINED;
  struct reading *want = malloc(sizeof *want);
  if (want == NULL) return value_int(-ENOMEM);
  *want = (struct reading){.answer = -1, .path = strdup(path), .limit = limit};
  int ends[2] = {-1, -1};
  int error = want->path == NULL ? ENOMEM : pipe2(ends, O_CLOEXEC) < 0 ? errno : 0;
  want->answer = ends[1];
  if (error == 0) error = start(read_beside, want);
  if (error == 0) return value_int(ends[0]);
  if (ends[0] >= 0) (void)close(ends[0]);
  if (ends[1] >= 0) (void)close(ends[1]);
  end_reading(want);
  return value_int(-error);
}

const struct host_function host_beside[] = {
    {"startReplacing", 5, replacing_start},
    {"startReading", 2, reading_start},
    {0},
};
