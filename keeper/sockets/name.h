/* One name of a unix socket in the file system, and the list of all. Internal to names.c, which holds the list, and
 * name_watch.c. */
#pragma once

#include "app/files.h"

struct name {
  uint64_t handle;
  char *path;
  char *spare;   /* the spare name; NULL: none */
  int look;      /* the file (O_PATH); -1: it did not exist at the first check */
  bool watched;  /* the supervisor wants events */
  int own_watch; /* inotify watches of the file and its directory, each for one event; -1: none */
  int directory_watch;
  uint8_t state;
  uint64_t since; /* when the first of `count` was restored */
  uint32_t count;
  uint64_t pause;    /* ms */
  uint64_t check_at; /* 0: no check is planned */
};

uint32_t names_count(void);
struct name *names_at(uint32_t index);
/* The file; `inode` 0 if there is none. */
struct file_identity names_identity(const struct name *name);
/* Opens the path if it leads to the handle's socket. */
int names_look_at(uint64_t handle, const char *path);
