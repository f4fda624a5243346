#include "worker/kin.h"

#include <sys/stat.h>

#include "app/memory.h"
#include "process/cgroup.h"
#include "process/peek.h"
#include "protocol/protocol.h"
#include "protocol/saved.h"

enum { ENVIRONMENT_BYTES = 256 * 1024, MOST_ROUNDS = 8 };

static bool (*is_keepers_own)(uint32_t pid);

void kin_leaves_out(bool (*is_own)(uint32_t pid)) {
  is_keepers_own = is_own;
}

/* When the first worker of this keeper started: older processes belong to no worker. 0: no worker has started. */
static uint64_t first_start;
/* Some workers have no session of their own, so their orphans may be in the keeper's session. */
static bool shares_session;

void kin_note_start(uint64_t start_time, bool has_session) {
  if (start_time != 0 && (first_start == 0 || start_time < first_start)) first_start = start_time;
  if (!has_session) shares_session = true;
}

static bool is_alive(const struct worker *worker) {
  return worker->state == WORKER_STARTING || worker->state == WORKER_RUNNING || worker->state == WORKER_LINGERING;
}

/* The pids of all main processes, sorted, because a large fleet is searched for each child. */
static uint32_t *mains;
static uint32_t main_count;

static int compare_pids(const void *one, const void *other) {
  uint32_t a = *(const uint32_t *)one;
  uint32_t b = *(const uint32_t *)other;
  return a < b ? -1 : a > b ? 1 : 0;
}

static void note_mains(void) {
  mains = memory_resize(mains, ((size_t)worker_count() + 1) * sizeof *mains);
  main_count = 0;
  for (uint32_t i = 0; i < worker_count(); i++) {
    const struct worker *worker = worker_at(i);
    if (worker->state == WORKER_STARTING || worker->state == WORKER_RUNNING) mains[main_count++] = worker->pid;
  }
  qsort(mains, main_count, sizeof *mains, compare_pids);
}

/* Whether the process is a worker's main process, or the keeper's own child, such as the supervisor. */
static bool is_known(uint32_t pid) {
  if (bsearch(&pid, mains, main_count, sizeof *mains, compare_pids)) return true;
  return is_keepers_own(pid);
}

/* Whether the keeper had other children when they were last read. */
static bool has_strays;

bool kin_has_strays(void) {
  return has_strays;
}

/* Whether the environment sets the variable to this number. */
static bool sets(const char *environment, size_t length, const char *name, uint64_t value) {
  char wanted[64];
  int size = snprintf(wanted, sizeof wanted, "%s=%llu", name, (unsigned long long)value);
  for (const char *at = environment, *end = environment + length; at < end;) {
    size_t left = (size_t)(end - at);
    size_t variable = strnlen(at, left);
    if (variable == (size_t)size && memcmp(at, wanted, variable) == 0) return true;
    at += variable + 1;
  }
  return false;
}

static bool is_named(const struct worker *worker, const char *environment, size_t length) {
  return length > 0 && sets(environment, length, "CRANK_WORKER", worker->id) &&
         sets(environment, length, "EINHORN_MASTER_PID", worker->kin.keeper) &&
         (worker->kin.generation == 0 || sets(environment, length, "CRANK_GENERATION", worker->kin.generation));
}

/* A process cannot join an existing session, so each process in a worker's session descends from the worker. */
bool kin_is_in_session(const struct worker *worker, const struct process *process) {
  uint32_t session = process->session;
  if (session == 0) return false;
  if (session == worker->kin.session) return true;
  for (uint32_t i = 0; i < KIN_SESSIONS; i++) {
    if (worker->kin.others[i] == session) return true;
  }
  return false;
}

static void note_session(struct worker *worker, const struct process *process) {
  if (process->session == (uint32_t)getsid(0) || kin_is_in_session(worker, process)) return;
  worker->kin.others[worker->kin.other_count++ % KIN_SESSIONS] = process->session;
}

/* Whether it is a fork of the keeper for a small task. */
static bool is_fork(uint32_t pid) {
  struct stat own;
  uint64_t program[2];
  if (stat("/proc/self/exe", &own) < 0 || !peek_identity(pid, "exe", program)) return false;
  return own.st_dev == program[0] && own.st_ino == program[1];
}

/* Whether a child of the keeper may be an orphan of a worker at all. */
static bool may_be_left(const struct process *child) {
  /* As the first process of a namespace, the keeper gets the orphans of all processes. */
  if (getpid() == 1 || first_start == 0 || child->start_time < first_start) return false;
  if (child->session != (uint32_t)getsid(0)) return true;
  return shares_session && !is_fork(child->pid);
}

static bool may_have_left(const struct worker *worker, const struct process *child) {
  bool is_counted = worker->state == WORKER_RUNNING || worker->state == WORKER_LINGERING;
  if (!is_counted || worker->flags & (SPAWN_HELPER | WORKER_ADOPTED)) return false;
  return worker->kin.began <= child->start_time;
}

uint64_t kin_inode(int fd) {
  struct stat status;
  return fd >= 0 && fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void look_for_holder(void *context, uint64_t inode) {
  struct worker **owner = context;
  for (uint32_t i = 0; i < worker_count() && !*owner; i++) {
    struct worker *worker = worker_at(i);
    if (is_alive(worker) && (worker->kin.pipe == inode || worker->kin.pair == inode)) *owner = worker;
  }
}

static struct worker *named_owner(const struct process *child) {
  char *environment = memory_take(ENVIRONMENT_BYTES);
  size_t length = processes_environment(child->pid, environment, ENVIRONMENT_BYTES);
  struct worker *owner = NULL;
  for (uint32_t i = 0; i < worker_count() && !owner; i++) {
    struct worker *worker = worker_at(i);
    if (is_alive(worker) && is_named(worker, environment, length)) owner = worker;
  }
  free(environment);
  return owner;
}

/* The worker that a child of the keeper descends from. `*others`: the number of candidates if that is not known. */
static struct worker *owner_of(const struct process *child, uint32_t *others) {
  *others = 0;
  struct cgroup group = cgroup_of(child->pid);
  for (uint32_t i = 0; i < worker_count() && group.worker != 0; i++) {
    struct worker *worker = worker_at(i);
    if (is_alive(worker) && worker->id == group.worker && worker->kin.keeper == group.keeper) return worker;
  }
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (is_alive(worker) && kin_is_in_session(worker, child)) return worker;
  }
  struct worker *owner = named_owner(child);
  if (!owner) processes_inodes(child->pid, look_for_holder, &owner);
  if (owner || !may_be_left(child)) return owner;
  for (uint32_t i = 0; i < worker_count(); i++) {
    struct worker *worker = worker_at(i);
    if (!may_have_left(worker, child)) continue;
    owner = worker;
    ++*others;
  }
  return *others == 1 ? owner : NULL;
}

struct search {
  struct worker *worker; /* NULL: look for orphans of workers that are gone */
  struct tree *tree;
  uint32_t ended; /* ended children that are not reaped */
};

static void note_child(void *context, uint32_t pid) {
  if (!is_known(pid)) pids_add(context, pid);
}

static void take_child(struct search *search, const struct process *child) {
  if (processes_has_ended(child)) {
    search->ended++;
    return;
  }
  has_strays = true;
  uint32_t others = 0;
  struct worker *owner = owner_of(child, &others);
  if (owner) note_session(owner, child);
  bool is_meant = search->worker ? owner == search->worker : !owner && others == 0 && may_be_left(child);
  if (is_meant) (void)tree_take(search->tree, child);
}

/* The orphans of an adopted worker are another process's children (init's). They are recognized only by what they inherited. */
static void take_relative(void *context, uint32_t pid) {
  const struct search *search = context;
  const struct worker *worker = search->worker;
  struct process process;
  if (pid == (uint32_t)getpid() || is_known(pid)) return;
  /* Cheap checks first: they read no stat file. */
  process = (struct process){.session = processes_session(pid)};
  if (!kin_is_in_session(worker, &process) && processes_user(pid) != worker->kin.user) return;
  if (!processes_look(pid, &process)) return;
  if (processes_has_ended(&process) || process.start_time < worker->kin.began) return;
  bool is_relative = kin_is_in_session(worker, &process);
  if (!is_relative && processes_user(pid) == worker->kin.user) {
    char *environment = memory_take(ENVIRONMENT_BYTES);
    is_relative = is_named(worker, environment, processes_environment(pid, environment, ENVIRONMENT_BYTES));
    free(environment);
  }
  if (is_relative) (void)tree_take(search->tree, &process);
}

struct session {
  const struct worker *worker;
  uint32_t number;
  bool is_found;
};

static void look_for_session(void *context, uint32_t pid) {
  struct session *session = context;
  if (session->is_found || processes_session(pid) != session->number) return;
  char *environment = memory_take(ENVIRONMENT_BYTES);
  size_t length = processes_environment(pid, environment, ENVIRONMENT_BYTES);
  /* LISTEN_PID is the process that was started, which began the session. */
  session->is_found = is_named(session->worker, environment, length) && sets(environment, length, "LISTEN_PID", session->number);
  free(environment);
}

bool kin_is_session_of(const struct worker *worker, uint32_t number) {
  struct session session = {.worker = worker, .number = number};
  processes_all(look_for_session, &session);
  return session.is_found;
}

/* The orphans of a child become ours when it ends. So if a child has ended since the list was read, the list is read again. */
static void take_children(struct search *search) {
  uint32_t ended;
  int rounds = 0;
  note_mains();
  has_strays = false;
  do {
    ended = search->ended;
    search->ended = 0;
    struct pids pids = {0};
    tree_own_children(note_child, &pids);
    struct tree children = pids_look(&pids);
    for (uint32_t i = 0; i < children.count; i++) take_child(search, &children.list[i]);
    tree_free(&children);
  } while (search->ended > ended && ++rounds < MOST_ROUNDS);
}

static void take_member(void *context, uint32_t pid) {
  if (!is_known(pid)) (void)tree_add(context, pid);
}

struct cgroup kin_cgroup(const struct worker *worker) {
  bool has_one = (worker->flags & SPAWN_HELPER) == 0;
  return has_one ? (struct cgroup){.keeper = worker->kin.keeper, .worker = worker->id} : (struct cgroup){0};
}

struct tree kin_of(struct worker *worker) {
  struct tree tree = {0};
  struct search search = {.worker = worker, .tree = &tree};
  bool has_main = worker->state == WORKER_STARTING || worker->state == WORKER_RUNNING;
  /* Its pid is not reused until it is reaped. */
  bool is_certain = worker->process < 0 && worker->start_time != 0;
  if (has_main && is_certain) (void)tree_add_known(&tree, worker->pid, worker->start_time);
  else if (has_main) (void)tree_add(&tree, worker->pid);
  take_children(&search);
  cgroup_processes(kin_cgroup(worker), take_member, &tree);
  if (worker->flags & WORKER_ADOPTED) processes_all(take_relative, &search);
  tree_grow(&tree, is_known);
  return tree;
}

struct tree kin_left(void) {
  struct tree tree = {0};
  struct search search = {.tree = &tree};
  take_children(&search);
  tree_grow(&tree, is_known);
  return tree;
}

/* clang-format off */
#define SAVED(FIELD) \
  FIELD(u32, kin.session) FIELD(u32, kin.keeper) FIELD(u64, kin.generation) FIELD(u32, kin.user) FIELD(u64, kin.began) \
  FIELD(u64, kin.pipe) FIELD(u64, kin.pair) FIELD(u64, notify.names_main) FIELD(flag, is_undecided) FIELD(flag, is_killed) \
  FIELD(u32, signal)
/* clang-format on */

void kin_save(struct buffer *out) {
  buffer_u64(out, first_start);
  save_flag(out, shares_session);
  buffer_u32(out, worker_count());
  for (uint32_t i = 0; i < worker_count(); i++) {
    const struct worker *it = worker_at(i);
    buffer_u64(out, it->id);
    SAVED(SAVE)
    buffer_u32(out, it->spared.count);
    for (uint32_t at = 0; at < it->spared.count; at++) {
      buffer_u32(out, it->spared.list[at].pid);
      buffer_u64(out, it->spared.list[at].start_time);
    }
  }
}

bool kin_load(struct reader *in) {
  first_start = read_u64(in);
  shares_session = load_flag(in);
  uint32_t saved = read_u32(in);
  for (uint32_t i = 0; i < saved && !in->failed; i++) {
    struct worker *it = worker_find(read_u64(in));
    if (!it) return false;
    SAVED(LOAD)
    uint32_t spared = read_u32(in);
    for (uint32_t at = 0; at < spared && !in->failed; at++) {
      uint32_t pid = read_u32(in);
      if (processes_start_time(pid) == read_u64(in)) (void)tree_add(&it->spared, pid);
    }
  }
  return !in->failed;
}
