#include "journal/lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include "app/descriptors.h"
#include "app/files.h"
#include "app/memory.h"

/* MOST_ATTEMPTS: how often the file may be removed between our open and our lock. */
enum { MOST_LOCKS = 16, MOST_ATTEMPTS = 16 };

struct lock {
  int fd;
  char *path;
};

static struct lock held[MOST_LOCKS];
static uint32_t count;

static bool is_same(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

static bool is_held(int fd) {
  struct stat wanted;
  struct stat ours;
  if (fstat(fd, &wanted) < 0) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (fstat(held[i].fd, &ours) == 0 && is_same(&wanted, &ours)) return true;
  }
  return false;
}

/* The lock that was taken under this path. If its file is a different one now, the old file was removed. */
static struct lock *find_path(const char *path) {
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(held[i].path, path) == 0) return &held[i];
  }
  return NULL;
}

static int write_pid(int fd) {
  char line[16];
  int length = snprintf(line, sizeof line, "%d\n", (int)getpid());
  if (ftruncate(fd, 0) < 0) return -1;
  return pwrite(fd, line, (size_t)length, 0) == length ? 0 : -1;
}

/* Opens and locks the file. -1 with errno (ESTALE: the path leads to another file now) and the step. */
static int try_lock(const char *path, const char **step) {
  int fd = files_open_own(path, step);
  if (fd < 0) return -1;
  *step = "lock";
  int error = is_held(fd) || flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
  /* The previous holder of the lock may have removed the file after we opened it. */
  if (!files_leads_to(path, fd)) error = ESTALE;
  errno = error;
  return error == 0 ? fd : descriptors_drop(fd);
}

int lock_take(const char *path, const char **step) {
  int fd = -1;
  for (int attempt = 0; attempt < MOST_ATTEMPTS && fd < 0; attempt++) {
    fd = try_lock(path, step);
    if (fd < 0 && errno != ESTALE) return -1;
  }
  if (fd < 0) return -1;
  if (is_held(fd)) {
    (void)close(fd);
    return 0;
  }
  struct lock *lock = find_path(path);
  errno = EMFILE;
  if (!lock && count == MOST_LOCKS) return descriptors_drop(fd);
  if (write_pid(fd) < 0) {
    *step = "write";
    return descriptors_drop(fd);
  }
  if (lock) (void)close(lock->fd);
  else *(lock = &held[count++]) = (struct lock){.path = memory_copy_text(path, strlen(path))};
  lock->fd = fd;
  return 0;
}

void lock_leave(void) {
  for (uint32_t i = 0; i < count; i++) files_remove_if(held[i].path, held[i].fd);
}

void lock_save(struct buffer *out) {
  buffer_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    save_descriptor(out, held[i].fd);
    buffer_text(out, held[i].path);
  }
}

bool lock_load(struct reader *in) {
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    int fd = load_descriptor(in);
    struct span path = read_bytes(in);
    if (in->failed || count == MOST_LOCKS) return false;
    held[count++] = (struct lock){.fd = fd, .path = span_text(path)};
  }
  return !in->failed;
}
