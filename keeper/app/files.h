/* The one place where the keeper opens, creates, replaces, removes and gives away files of crank's own. The directory of a
 * path is opened first, a file in it without following links, and only what fstat(2) says of it decides whether it is used.
 * `make check` proves that no other file of the keeper does any of this. */
#ifndef KEEPER_APP_FILES_H
#define KEEPER_APP_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Which file it is, whatever it is called. `inode` 0: not known. */
struct file_identity {
  uint64_t device;
  uint64_t inode;
};

/* Opens a plain file of crank's own for reading and writing (0600), made if it is missing. -1 with errno (ESTALE: it went
 * meanwhile) and the step: "open", or with EPERM what is wrong with it: "type", "owner", "mode", "links". */
int files_open_own(const char *path, const char **step);
/* Whether the path leads to the file that is open. */
bool files_leads_to(const char *path, int fd);
/* Removes the name if it leads to the file that is open. */
void files_remove_if(const char *path, int fd);

enum { FILE_NAME_BYTES = 256 };

/* A file that takes its name only when it is whole. */
struct replacement {
  int directory;
  int fd;
  char temporary[FILE_NAME_BYTES];
  char name[FILE_NAME_BYTES];
};
/* Makes it (0600) under a name that cannot be foreseen. -1 with errno and the step: "open", or with EPERM "directory". */
int files_begin_replacement(struct replacement *replacement, const char *path, const char **step);
/* Gives it its name. -1 with errno; the file is open still, and has no name. */
int files_finish_replacement(struct replacement *replacement);
/* Takes it back. The descriptor stays open. */
void files_drop_replacement(struct replacement *replacement);
/* Removes a plain file of crank's own; nothing else. Whether it is gone. */
bool files_remove_own(const char *path);

/* How a socket's file is made: UNCHANGED leaves it as the system does. */
struct socket_file {
  const char *path; /* NULL: an address without a file */
  uint32_t mode, uid, gid;
};
/* Binds a unix socket and gives its file away. Which file that is, in `made`. -1 with errno and the step ("bind", "file",
 * "chown"); nothing is left then. */
int files_bind(int fd, const struct sockaddr *address, socklen_t length, const struct socket_file *file,
               struct file_identity *made, const char **step);
/* Which file a socket that was bound elsewhere is reached by; nothing (0) if the path does not lead to it. */
struct file_identity files_of_socket(int fd, const char *path);
/* Opens what is at the path to be looked at (O_PATH), without following a link. -1 with errno. `found` may be NULL. */
int files_look(const char *path, struct file_identity *found, mode_t *mode);
bool files_is_same(const struct file_identity *one, const struct file_identity *other);
/* Makes the socket's file at the path another user's, if it is this one: else ESTALE. -1 with errno. */
int files_give(const char *path, const struct file_identity *expected, uint32_t uid, uint32_t gid);
/* Gives the file that is open (O_PATH) one more name. -1 with errno. */
int files_link(int look, const char *path);
/* Removes a socket's file, if it is this one (NULL: any socket's). */
void files_remove_socket(const char *path, const struct file_identity *expected);

#endif
