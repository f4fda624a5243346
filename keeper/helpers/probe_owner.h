/* Which process is at the other end of a connection to this machine, as the kernel's socket tables and /proc tell it. */
#ifndef KEEPER_HELPERS_PROBE_OWNER_H
#define KEEPER_HELPERS_PROBE_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* The inode of the socket at the other end of `fd`; 0 until it is accepted. -1 with errno if it is gone, or
 * cannot be known. */
int probe_peer(int fd, uint32_t *inode);
/* Whether this process or one that descends from it has the socket open. */
bool probe_owns(int pid, uint32_t inode);
/* A child of this process; 0 if there is none. */
int probe_child(void);

#endif
