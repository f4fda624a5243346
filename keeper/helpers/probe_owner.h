/* Finds the process at the other end of a local connection, from the kernel's socket tables and /proc. */
#pragma once

#include "app/basics.h"

/* The inode of the peer socket of `fd`; 0 until the connection is accepted. -1 with errno if the peer is gone or unknown. */
int probe_peer(int fd, uint32_t *inode);
/* Whether this process or one of its descendants has the socket open. */
bool probe_owns(int pid, uint32_t inode);
/* A child of this process; 0 if there is none. */
int probe_child(void);
