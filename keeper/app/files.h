/* The only place where the keeper opens, creates, replaces, removes and gives away crank's own files. It opens the directory of
 * a path first, then the file in it without following links, and uses the file only if fstat(2) shows that it is safe. `make
 * check` proves that no other file of the keeper does any of this. */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "app/basics.h"

/* Identifies a file independently of its name. `inode` 0: unknown. */
struct file_identity {
  uint64_t device;
  uint64_t inode;
};

/* Opens a plain file of crank's own for reading and writing; creates it (0600) if it is missing. -1 with errno (ESTALE: it was
 * removed meanwhile) and the step: "open", or, with EPERM, what is wrong: "type", "owner", "mode", "links". */
int files_open_own(const char *path, const char **step);
/* Whether the path leads to the open file. */
bool files_leads_to(const char *path, int fd);
/* Removes the name if it leads to the open file. */
void files_remove_if(const char *path, int fd);

enum { FILE_NAME_BYTES = 256 };

/* A file that gets its name only when it is complete. */
struct replacement {
  int directory;
  int fd;
  char temporary[FILE_NAME_BYTES];
  char name[FILE_NAME_BYTES];
};
/* Creates it (0600) under an unpredictable name. -1 with errno and the step: "open", or with EPERM "directory". */
int files_begin_replacement(struct replacement *replacement, const char *path, const char **step);
/* Gives the file its name. -1 with errno; then the file is still open and has no name. */
int files_finish_replacement(struct replacement *replacement);
/* Removes the temporary file. The descriptor stays open. */
void files_drop_replacement(struct replacement *replacement);
/* Removes a plain file of crank's own, nothing else. Returns whether the name is free now. */
bool files_remove_own(const char *path);

/* How to make a socket's file. UNCHANGED keeps the system's default. */
struct socket_file {
  const char *path; /* NULL: an address without a file */
  uint32_t mode, uid, gid;
};
/* The address of a unix socket at this path. Returns its length, 0 with errno. */
socklen_t files_address(struct sockaddr_un *address, const char *path);

/* Binds a unix socket and changes the owner of its file. `made`: the identity of the file. -1 with errno and the step ("bind",
 * "file", "chown"); then no file of ours is left. */
int files_bind(int fd, const struct sockaddr *address, socklen_t length, const struct socket_file *file,
               struct file_identity *made, const char **step);
/* The file of a socket that was bound elsewhere; `inode` 0 if the path does not lead to it. */
struct file_identity files_of_socket(int fd, const char *path);
/* Opens the file at the path with O_PATH, without following a link. -1 with errno. `found` may be NULL. */
int files_look(const char *path, struct file_identity *found, mode_t *mode);
bool files_is_same(const struct file_identity *one, const struct file_identity *other);
/* Changes the owner of the socket file at the path if it is the expected one, else ESTALE. -1 with errno. */
int files_give(const char *path, const struct file_identity *expected, uint32_t uid, uint32_t gid);
/* Gives the open file (O_PATH) another name. -1 with errno. */
int files_link(int look, const char *path);
/* Removes a socket file if it is the expected one (NULL: any socket). */
void files_remove_socket(const char *path, const struct file_identity *expected);
