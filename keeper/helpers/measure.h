/* Another name of this program: it finds out once what the workers use and which connections they hold, says so, and ends. */
#ifndef KEEPER_HELPERS_MEASURE_H
#define KEEPER_HELPERS_MEASURE_H

#define MEASURE_NAME "crank-measure"

/*
 * Arguments behind the name: the time limit in ms, the number of sockets, then
 *   FD:ADDRESS     for each socket: the descriptor that it is given as, `-` for one that crank has closed, and the bytes of
 *                  its address (struct sockaddr) in hexadecimal, none for one that has no connections
 *   ID:PID:START   for each worker: its start time as /proc/PID/stat has it
 * Without sockets no connections are looked for, and what it costs does not grow with them.
 *
 * What it says on descriptor 3, in as few datagrams as it takes, are lines; what cannot be known is `-`:
 *   w ID PROCESSES MEMORY CPU CONNECTIONS   a worker that lives: of its process tree, the memory in bytes, the processor
 *                                           time in ms, the connections that it has accepted and not closed
 *   s INDEX CONNECTIONS QUEUE LIMIT DROPS   a socket: connections that workers hold, those that wait to be accepted, how many
 *                                           may, and what the kernel has dropped at it since it was made
 *   n OVERFLOWS DROPS                       of all TCP sockets of the network namespace, since it was made
 *   end                                     it has said everything
 */
_Noreturn void measure_run(int argc, char **argv);

#endif
