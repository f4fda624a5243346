#include "process/pipeline.h"

#include "app/memory.h"

enum { MOST_PROCESSES = 256 }; /* in a larger tree, all processes are treated alike */

struct ends {
  uint64_t in;
  uint64_t out;
  uint64_t error;
};

static struct ends ends_of(const struct process *process) {
  if (processes_has_ended(process)) return (struct ends){0};
  return (struct ends){
      .in = processes_pipe(process->pid, STDIN_FILENO),
      .out = processes_pipe(process->pid, STDOUT_FILENO),
      .error = processes_pipe(process->pid, STDERR_FILENO),
  };
}

static bool feeds(const struct ends *writer, const struct ends *reader) {
  return reader->in != 0 && (writer->out == reader->in || writer->error == reader->in);
}

bool pipeline_reads(const struct tree *tree, const struct process *process) {
  struct ends reader = ends_of(process);
  for (uint32_t i = 0; i < tree->count; i++) {
    if (tree->list[i].pid == process->pid) continue;
    struct ends writer = ends_of(&tree->list[i]);
    if (feeds(&writer, &reader)) return true;
  }
  return false;
}

enum role { UNKNOWN, FIRST, READER };

/* Follows the pipelines from their first processes. Processes that read from each other in a circle stay UNKNOWN. */
static void find_roles(const struct ends *ends, enum role *roles, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    roles[i] = FIRST;
    for (uint32_t j = 0; j < count; j++) {
      if (j != i && feeds(&ends[j], &ends[i])) roles[i] = UNKNOWN;
    }
  }
  bool changes = true;
  while (changes) {
    changes = false;
    for (uint32_t i = 0; i < count; i++) {
      for (uint32_t j = 0; j < count && roles[i] == UNKNOWN; j++) {
        if (roles[j] == UNKNOWN || !feeds(&ends[j], &ends[i])) continue;
        roles[i] = READER;
        changes = true;
      }
    }
  }
}

struct tree pipeline_readers(const struct tree *tree) {
  struct tree readers = {0};
  if (tree->count < 2 || tree->count > MOST_PROCESSES) return readers;
  struct ends *ends = memory_take(tree->count * sizeof *ends);
  enum role *roles = memory_take(tree->count * sizeof *roles);
  for (uint32_t i = 0; i < tree->count; i++) ends[i] = ends_of(&tree->list[i]);
  find_roles(ends, roles, tree->count);
  for (uint32_t i = 0; i < tree->count; i++) {
    if (roles[i] == READER) (void)tree_add(&readers, tree->list[i].pid);
  }
  free(ends);
  free(roles);
  return readers;
}
