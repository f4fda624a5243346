#include "einhorn/process_title.h"

#include "app/memory.h"

static char *place; /* from the first argument to the end of the environment */
static size_t room;
static bool has_moved;
static char *current;

/* Each text normally begins where the one before it ends. Stops at the first gap: a parent may have arranged them otherwise. */
static char *end_of(char **texts, char *end) {
  for (; *texts && *texts == end; texts++) end = *texts + strlen(*texts) + 1;
  return end;
}

char **process_title_start(int argc, char **argv) {
  place = argv[0];
  room = place ? (size_t)(end_of(environ, end_of(argv, place)) - place) : 0;
  char **copies = memory_take(((size_t)argc + 1) * sizeof *copies);
  for (int i = 0; i < argc; i++) copies[i] = memory_copy_text(argv[i], strlen(argv[i]));
  copies[argc] = NULL;
  return copies;
}

/* Programs executed later get their variables from `environ`, so it must not point into the overwritten memory. */
static void move_environment(void) {
  size_t count = 0;
  while (environ[count]) count++;
  char **copies = memory_take((count + 1) * sizeof *copies);
  for (size_t i = 0; i < count; i++) copies[i] = memory_copy_text(environ[i], strlen(environ[i]));
  copies[count] = NULL;
  environ = copies;
}

void process_title_set(struct span title) {
  free(current);
  current = span_text(title);
  if (room == 0) return;
  if (!has_moved) move_environment();
  has_moved = true;
  size_t length = strlen(current);
  memset(place, 0, room);
  memcpy(place, current, length < room ? length : room - 1);
}

void process_title_save(struct buffer *out) {
  buffer_text(out, current ? current : "");
}

bool process_title_load(struct reader *in) {
  struct span title = read_bytes(in);
  if (in->failed) return false;
  if (title.length > 0) process_title_set(title);
  return true;
}
