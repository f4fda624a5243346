/* What the kernel knows of a listening socket: how many connections wait, how many may, and whether it was shut down. */
#ifndef KEEPER_SOCKETS_ACCEPT_QUEUE_H
#define KEEPER_SOCKETS_ACCEPT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* -1 with errno. */
int accept_queue(int fd, uint32_t domain, uint32_t *queue, uint32_t *limit);
bool accept_queue_is_shut(int fd, uint32_t domain);

#endif
