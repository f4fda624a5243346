/* The engine's linear memory: where it lies in this process, how it grows, and what becomes of an access outside of it. */
#ifndef ENGINE_HEAP_H
#define ENGINE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The most that an engine may use: 256 MiB, several times what a supervisor of 1,000 workers with a full history wants, and little
 * enough that one that has gone wild takes no memory from the workers. One that wants more ends, with one sentence and
 * status 70: an exception could be caught, and the program would go on with half of what it wanted. */
enum { HEAP_MOST_PAGES = 4096 };

/* EX_SOFTWARE of sysexits(3), the status after a fault of the engine: the keeper starts another supervisor. */
enum { BROKEN = 70 };

/* Maps zeros for bytes [from, from + length) of the memory; both are whole pages of the system. 0, or -1 with errno:
 * EEXIST, something else lies there. */
int heap_map(size_t from, size_t length);
/* The same, of a file. It is written to in private. */
int heap_map_file(size_t from, size_t length, int fd, off_t at);
/* Maps zeros for the first `length` bytes, from `from` on in pages of 2 MiB where the system has some. */
int heap_map_huge(size_t from, size_t length);
/* Whether the system gives pages of 2 MiB to a process that asks for them. */
bool heap_has_huge_pages(void);

/* From now on an access outside of the memory, and a stack that is used up, end the process with one sentence and status 70. */
void heap_guard(void);

#endif
