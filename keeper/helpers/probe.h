/* Another name of this program: it probes once whether a worker can serve, reports the result in one datagram, and exits. */
#pragma once

#define PROBE_NAME "crank-probe"

/*
 * Arguments after the name: the time limit in ms, then
 *   exec COMMAND [ARG…]                                     success: exit status 0
 *   tcp FAMILY HOST PORT OWNER                              success: the connection is accepted
 *   http FAMILY HOST PORT OWNER PATH                        success: a response with status 2xx
 * FAMILY is 4, 6 or unix. For unix, HOST is the path, with @ in front for an abstract one, and PORT is ignored. OWNER is the
 * pid of the worker whose process tree must accept the connection: if another process accepts it, the probe tries another
 * connection. 0: any process may accept it.
 *
 * Output on descriptor 3: `ok`; or `no ` and a reason that completes "the probe found that it …"; or `unsure ` and such a
 * reason if other processes accepted all connections until the time was over.
 */
_Noreturn void probe_run(int argc, char **argv);
