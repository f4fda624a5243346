/* Which foreign descriptors the keeper may hold: those that it, and each process that it starts, can close without waiting for
 * the process that made them. */
#pragma once

#include "app/basics.h"

/* Whether the keeper may hold the descriptor. May wait for the file system: for descriptors of untrusted processes, call it
 * only in a separate process. Async-signal-safe. */
bool admission_allows(int fd);
/* Closes an admitted descriptor. If its last close may take time, another process does it. */
void admission_close(int fd);
/* Closes a socket of the keeper. If unread data waits on it, another process does the last close: the data may carry foreign
 * descriptors whose close waits. */
void admission_close_unread(int fd);
