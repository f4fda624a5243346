/* The kernel's facts about a listening socket: length and limit of its accept queue, and whether it was shut down. */
#pragma once

#include "app/basics.h"

/* Gets the length and the limit of the queue. -1 with errno. */
int accept_queue(int fd, uint32_t domain, uint32_t *queue, uint32_t *limit);
bool accept_queue_is_shut(int fd, uint32_t domain);
