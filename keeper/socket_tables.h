/* The kernel's socket tables, asked for one socket by sock_diag(7). */
#ifndef KEEPER_SOCKET_TABLES_H
#define KEEPER_SOCKET_TABLES_H

#include <linux/inet_diag.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <stdint.h>

/* One attribute of the unix socket with this inode (UDIAG_SHOW_ and UNIX_DIAG_ say which). -1 with errno: ENOENT for no
 * such socket, ENODATA if it has no such attribute. */
int socket_tables_unix(uint32_t inode, uint32_t show, uint16_t attribute, void *into, size_t size);
/* The TCP socket between two addresses; `request` needs its family and its id. */
int socket_tables_tcp(struct inet_diag_req_v2 *request, struct inet_diag_msg *answer);

#endif
