#include "process/tree.h"

#include "app/memory.h"

enum { MOST_PROCESSES = 32768, STEP = 16 };

static bool holds(const struct tree *tree, uint32_t pid) {
  for (uint32_t i = 0; i < tree->count; i++) {
    if (tree->list[i].pid == pid) return true;
  }
  return false;
}

static void append(struct tree *tree, const struct process *process) {
  if (tree->count % STEP == 0) tree->list = memory_resize(tree->list, ((size_t)tree->count + STEP) * sizeof *tree->list);
  tree->list[tree->count++] = *process;
}

bool tree_add(struct tree *tree, uint32_t pid) {
  struct process process;
  if (tree->count >= MOST_PROCESSES || holds(tree, pid) || !processes_look(pid, &process)) return false;
  append(tree, &process);
  return true;
}

bool tree_add_known(struct tree *tree, uint32_t pid, uint64_t start_time) {
  struct process process;
  if (tree->count >= MOST_PROCESSES || holds(tree, pid) || !processes_look_beside(pid, start_time, &process)) return false;
  append(tree, &process);
  return true;
}

bool tree_take(struct tree *tree, const struct process *process) {
  if (tree->count >= MOST_PROCESSES || holds(tree, process->pid)) return false;
  append(tree, process);
  return true;
}

bool tree_holds(const struct tree *tree, const struct process *process) {
  for (uint32_t i = 0; i < tree->count; i++) {
    const struct process *known = &tree->list[i];
    if (known->pid == process->pid && processes_are_one(known->start_time, process->start_time)) return true;
  }
  return false;
}

void tree_free(struct tree *tree) {
  free(tree->list);
  *tree = (struct tree){0};
}

void pids_add(void *context, uint32_t pid) {
  struct pids *pids = context;
  if (pids->count >= MOST_PROCESSES) return;
  if (pids->count % STEP == 0) pids->list = memory_resize(pids->list, ((size_t)pids->count + STEP) * sizeof *pids->list);
  pids->list[pids->count++] = pid;
}

struct tree pids_look(struct pids *pids) {
  struct tree found = {0};
  if (pids->count > 0) {
    /* The same capacity as a tree of this size. */
    size_t room = ((size_t)pids->count + STEP - 1) / STEP * STEP;
    found.list = memory_take(room * sizeof *found.list);
    found.count = processes_look_at_all(pids->list, pids->count, found.list);
  }
  free(pids->list);
  *pids = (struct pids){0};
  return found;
}

struct growth {
  const struct tree *tree;
  struct pids news;
  bool (*is_other)(uint32_t pid);
};

static void add_child(void *context, uint32_t pid) {
  struct growth *growth = context;
  if (!growth->is_other(pid) && !holds(growth->tree, pid)) pids_add(&growth->news, pid);
}

static void take_all(struct tree *tree, struct pids *pids) {
  struct tree news = pids_look(pids);
  for (uint32_t i = 0; i < news.count; i++) (void)tree_take(tree, &news.list[i]);
  tree_free(&news);
}

static bool are_children_listed(uint32_t pid, void (*take)(void *context, uint32_t child), void *context) {
#ifdef OLDER_KERNEL
  (void)pid, (void)take, (void)context;
  return false;
#else
  return processes_children(pid, take, context);
#endif
}

/* The fallback if the kernel does not list children: each process shows its parent. */
static struct tree everything(void) {
  struct pids pids = {0};
  processes_all(pids_add, &pids);
  return pids_look(&pids);
}

static void children_by_scanning(const struct tree *all, uint32_t parent, void (*take)(void *context, uint32_t child),
                                 void *context) {
  for (uint32_t i = 0; i < all->count; i++) {
    if (all->list[i].parent == parent) take(context, all->list[i].pid);
  }
}

void tree_grow(struct tree *tree, bool (*is_other)(uint32_t pid)) {
  struct growth growth = {.tree = tree, .is_other = is_other};
  struct tree all = {0};
  for (uint32_t i = 0; i < tree->count; i++) {
    bool are_listed = all.count == 0 && are_children_listed(tree->list[i].pid, add_child, &growth);
    if (!are_listed && all.count == 0) all = everything();
    if (!are_listed) children_by_scanning(&all, tree->list[i].pid, add_child, &growth);
    take_all(tree, &growth.news);
  }
  tree_free(&all);
}

void tree_own_children(void (*take)(void *context, uint32_t pid), void *context) {
  uint32_t self = (uint32_t)getpid();
  if (are_children_listed(self, take, context)) return;
  struct tree all = everything();
  children_by_scanning(&all, self, take, context);
  tree_free(&all);
}
