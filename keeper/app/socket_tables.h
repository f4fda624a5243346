/* Queries the kernel's socket tables for one socket, or for all of a kind (sock_diag(7)). */
#pragma once

#include <linux/inet_diag.h>
#include <linux/unix_diag.h>

#include "app/basics.h"

/* Reads one attribute of the unix socket with this inode (UDIAG_SHOW_ and UNIX_DIAG_ select it). -1 with errno: ENOENT if there
 * is no such socket, ENODATA if it has no such attribute. */
int socket_tables_unix(uint32_t inode, uint32_t show, uint16_t attribute, void *into, size_t size);
/* Finds the TCP socket between two addresses; `request` needs its family and its id. */
int socket_tables_tcp(struct inet_diag_req_v2 *request, struct inet_diag_msg *answer);

/* Calls `take` for every TCP socket of the request's family, in one of its states, and with its port if that is not 0. -1 with
 * errno. */
typedef void socket_tables_take_tcp(const struct inet_diag_msg *found, void *context);
int socket_tables_each_tcp(const struct inet_diag_req_v2 *request, socket_tables_take_tcp *take, void *context);
/* Calls `take` for every unix socket in one of the states (bits of TCP_ESTABLISHED …), with its name; `length` is 0 if it has
 * none. */
typedef void socket_tables_take_unix(uint32_t inode, const uint8_t *name, size_t length, void *context);
int socket_tables_each_unix(uint32_t states, socket_tables_take_unix *take, void *context);
