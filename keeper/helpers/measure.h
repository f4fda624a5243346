/* Another name of this program: it measures once what the workers use and which connections they hold, reports it, and
 * exits. */
#pragma once

#define MEASURE_NAME "crank-measure"

/*
 * Arguments after the name: the time limit in ms, the number of sockets, then
 *   FD:ADDRESS     per socket: its descriptor number, or `-` if crank has closed it, and the bytes of its address (struct
 *                  sockaddr) in hexadecimal, empty if it has no connections
 *   ID:PID:START   per worker: START is the start time in /proc/PID/stat
 * Without sockets it does not look for connections, so the cost does not depend on their number.
 *
 * Output on descriptor 3: lines, in as few datagrams as possible; an unknown value is `-`:
 *   w ID PROCESSES MEMORY CPU CONNECTIONS   a running worker. For its process tree: the memory in bytes, the CPU time in ms,
 *                                           the connections that it has accepted and not closed
 *   s INDEX CONNECTIONS QUEUE LIMIT DROPS   a socket: connections that workers hold, length and limit of the accept queue,
 *                                           and how many the kernel has dropped since the socket was created
 *   n OVERFLOWS DROPS                       all TCP sockets of the network namespace since its creation
 *   end                                     the output is complete
 */
_Noreturn void measure_run(int argc, char **argv);
