#include "process/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "app/memory.h"

enum { LINE_BYTES = 4096, NAME_BYTES = 64 };

/* The keeper's own group: its directory, and its path as in /proc/PID/cgroup. NULL: not delegated, or not determined yet. */
static char *directory;
static char *own_path;
static bool is_looked_for;

/* The mount point of cgroup2, and the group `root` that it shows there. */
static bool find_mount(char *point, char *root) {
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (!mounts) return false;
  char line[LINE_BYTES];
  bool is_found = false;
  while (!is_found && fgets(line, sizeof line, mounts)) {
    const char *type = strstr(line, " - ");
    bool is_ours = type && strncmp(type, " - cgroup2 ", 11) == 0;
    is_found = is_ours && sscanf(line, "%*d %*d %*s %1023s %1023s", root, point) == 2;
  }
  (void)fclose(mounts);
  return is_found;
}

/* The path after "0::" in /proc/PID/cgroup, which the caller frees; NULL if there is none. */
static char *path_of(uint32_t pid) {
  char name[NAME_BYTES];
  char line[LINE_BYTES];
  (void)snprintf(name, sizeof name, "/proc/%" PRIu32 "/cgroup", pid);
  FILE *file = fopen(name, "re");
  if (!file) return NULL;
  char *path = NULL;
  while (!path && fgets(line, sizeof line, file)) {
    if (strncmp(line, "0::", 3) != 0) continue;
    line[strcspn(line, "\n")] = '\0';
    path = memory_copy_text(line + 3, strlen(line + 3));
  }
  (void)fclose(file);
  return path;
}

static bool is_marked(const char *path, const char *attribute) {
  char value[8];
  ssize_t length = getxattr(path, attribute, value, sizeof value);
  return length == 1 && value[0] == '1';
}

/* systemd marks a delegated group (Delegate=); the root of a cgroup namespace is delegated too. The real root has no
 * cgroup.events. */
static bool is_delegated(const char *path, const char *own) {
  char events[LINE_BYTES + NAME_BYTES];
  if (access(path, W_OK) < 0) return false;
  if (is_marked(path, "trusted.delegate") || is_marked(path, "user.delegate")) return true;
  (void)snprintf(events, sizeof events, "%s/cgroup.events", path);
  return strcmp(own, "/") == 0 && access(events, F_OK) == 0;
}

static void look_for_it(void) {
  char point[1024];
  char root[1024];
  char path[LINE_BYTES];
  is_looked_for = true;
  char *own = find_mount(point, root) ? path_of((uint32_t)getpid()) : NULL;
  if (!own) return;
  size_t above = strcmp(root, "/") == 0 ? 0 : strlen(root);
  bool is_shown = strncmp(own, root, above) == 0;
  int length = snprintf(path, sizeof path, "%s%s", point, is_shown && strcmp(own + above, "/") != 0 ? own + above : "");
  if (is_shown && length > 0 && (size_t)length < sizeof path && is_delegated(path, own)) {
    directory = memory_copy_text(path, strlen(path));
    own_path = own;
  } else {
    free(own);
  }
}

/* The path of a group's file, or (name "") of the group itself. False if there are no groups. */
static bool file_of(struct cgroup group, const char *name, char *path, size_t room) {
  if (!is_looked_for) look_for_it();
  if (!directory || group.worker == 0) return false;
  int length = snprintf(path, room, "%s/crank-%" PRIu32 "-%" PRIu64 "%s%s", directory, group.keeper, group.worker,
                        name[0] ? "/" : "", name);
  return length > 0 && (size_t)length < room;
}

int cgroup_make(struct cgroup group) {
  char path[PATH_MAX];
  if (!file_of(group, "", path, sizeof path)) return 0;
  if (mkdir(path, 0755) < 0 && errno != EEXIST) return 0;
  if (!file_of(group, "cgroup.procs", path, sizeof path)) return 0;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd > 0 ? fd : 0;
}

void cgroup_remove(struct cgroup group) {
  char path[PATH_MAX];
  if (file_of(group, "", path, sizeof path)) (void)rmdir(path);
}

/* A build for the tests works without cgroup.kill, as on an older kernel. */
#ifdef OLDER_KERNEL
#define CGROUP_KILL "cgroup.kill of a later kernel"
#else
#define CGROUP_KILL "cgroup.kill"
#endif

void cgroup_kill(struct cgroup group) {
  char path[PATH_MAX];
  if (!file_of(group, CGROUP_KILL, path, sizeof path)) return;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return; /* older kernel: the processes are killed one by one */
  (void)!write(fd, "1", 1);
  (void)close(fd);
}

void cgroup_processes(struct cgroup group, void (*take)(void *context, uint32_t pid), void *context) {
  char path[PATH_MAX];
  if (!file_of(group, "cgroup.procs", path, sizeof path)) return;
  FILE *file = fopen(path, "re");
  if (!file) return;
  uint32_t pid;
  while (fscanf(file, "%" SCNu32, &pid) == 1) {
    if (pid > 0) take(context, pid);
  }
  (void)fclose(file);
}

struct cgroup cgroup_of(uint32_t pid) {
  struct cgroup none = {0};
  struct cgroup group = {0};
  if (!is_looked_for) look_for_it();
  if (!directory) return none;
  char *path = path_of(pid);
  if (!path) return none;
  size_t above = strcmp(own_path, "/") == 0 ? 0 : strlen(own_path);
  bool is_below = strncmp(path, own_path, above) == 0;
  bool is_one = is_below && sscanf(path + above, "/crank-%" SCNu32 "-%" SCNu64, &group.keeper, &group.worker) == 2;
  free(path);
  return is_one ? group : none;
}
