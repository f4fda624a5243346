/* Another name of this program: it finds out once whether a worker can serve, says so in one datagram, and ends. */
#ifndef KEEPER_HELPERS_PROBE_H
#define KEEPER_HELPERS_PROBE_H

#define PROBE_NAME "crank-probe"

/*
 * Arguments behind the name: the time limit in ms, then
 *   exec COMMAND [ARG…]                                     its exit status 0 is what is wanted
 *   tcp FAMILY HOST PORT OWNER                              a connection that is accepted
 *   http FAMILY HOST PORT OWNER PATH                        an answer of status 2xx
 * FAMILY is 4, 6 or unix (HOST is then the path, @ in front for an abstract one, and PORT is not looked at). OWNER is the
 * pid of the worker whose process tree has to have accepted the connection: one that another process accepts counts for
 * nothing, and the next one is tried. 0: any process may accept it.
 *
 * What it says on descriptor 3: `ok`; or `no ` and a reason that completes "the probe found that it …"; or `unsure ` and
 * likewise, when others accepted all connections until the time was over.
 */
_Noreturn void probe_run(int argc, char **argv);

#endif
