/* The kernel's socket tables, asked for one socket, or for all of a kind, by sock_diag(7). */
#ifndef KEEPER_APP_SOCKET_TABLES_H
#define KEEPER_APP_SOCKET_TABLES_H

#include <linux/inet_diag.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <stdint.h>

/* One attribute of the unix socket with this inode (UDIAG_SHOW_ and UNIX_DIAG_ say which). -1 with errno: ENOENT for no
 * such socket, ENODATA if it has no such attribute. */
int socket_tables_unix(uint32_t inode, uint32_t show, uint16_t attribute, void *into, size_t size);
/* The TCP socket between two addresses; `request` needs its family and its id. */
int socket_tables_tcp(struct inet_diag_req_v2 *request, struct inet_diag_msg *answer);

/* Every TCP socket that has the request's family, one of its states, and its port where that is not 0. -1 with errno. */
typedef void socket_tables_take_tcp(const struct inet_diag_msg *found, void *context);
int socket_tables_each_tcp(const struct inet_diag_req_v2 *request, socket_tables_take_tcp *take, void *context);
/* Every unix socket in one of the states (bits of TCP_ESTABLISHED …), and the name that it has; those without have no length. */
typedef void socket_tables_take_unix(uint32_t inode, const uint8_t *name, size_t length, void *context);
int socket_tables_each_unix(uint32_t states, socket_tables_take_unix *take, void *context);

#endif
