/* The engine's linear memory: its place in this process, its growth, and the handling of an access outside of it. */
#ifndef ENGINE_HEAP_H
#define ENGINE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The engine's memory limit: 256 MiB. That is several times what a supervisor of 1,000 workers with a full history needs, and
 * small enough that a runaway engine takes no memory from the workers. At the limit the process ends with a message and status
 * 70. An exception could be caught, and the program would continue in an inconsistent state. */
enum { HEAP_MOST_PAGES = 4096 };

/* EX_SOFTWARE of sysexits(3): the status after a fault of the engine. The keeper then starts another supervisor. */
enum { BROKEN = 70 };

/* Maps zeros for the bytes [from, from + length) of the memory; both are multiples of the system's page size. 0, or -1 with
 * errno: EEXIST if something else is mapped there. */
int heap_map(size_t from, size_t length);
/* The same for a file's bytes. Writes stay private. */
int heap_map_file(size_t from, size_t length, int fd, off_t at);
/* Maps zeros for the first `length` bytes, from `from` on with 2 MiB pages if the system has them. */
int heap_map_huge(size_t from, size_t length);
/* Whether the system gives 2 MiB pages to a process that asks for them. */
bool heap_has_huge_pages(void);

/* From now on, an access outside of the memory or an exhausted stack ends the process with a message and status 70. */
void heap_guard(void);

#endif
