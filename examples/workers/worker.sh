#!/bin/sh
# A worker in shell that crank can replace: it reports when it is ready, and on a stop signal finishes its requests.
# A shell cannot accept connections: a few lines of Perl accept, and start this script for each connection.
#
#   crank -bind :8080 -name web &
#   crankctl -name web run -wait -- sh examples/workers/worker.sh hello
set -u

if [ "${1:-}" = --answer ]; then # one connection, on standard input and output
  while read -r line && [ "${#line}" -gt 1 ]; do :; done
  body="$WORDS from $WORKER"
  printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n' $((${#body} + 1)) "$body"
  exit
fi

# The first socket that crank passes on is descriptor 3; it is meant for this process and no other (sd_listen_fds(3)).
[ "${LISTEN_PID:-}" = "$$" ] || {
  echo "no socket was passed on: run this under crank" >&2
  exit 1
}
export WORDS="$*" WORKER="$$"

# Accepts until standard input ends, and ends when the last answer is out. Another worker may be quicker to accept: the
# socket is shared, so accepting must not wait.
accept='
  use strict;
  my $listener = IO::Socket->new_from_fd(3, "r") or die "no socket: $!";
  $listener->blocking(0);
  my $both = pack "b*", "1001"; # descriptors 0 and 3
  my $ready;
  while (select($ready = $both, undef, undef, undef) && !vec($ready, 0, 1)) {
    1 while waitpid(-1, WNOHANG) > 0;
    my $client = $listener->accept or next;
    next if fork;
    open STDIN, "<&", $client and open STDOUT, ">&", $client and exec "sh", @ARGV;
    exit 1;
  }
  close $listener;
  1 while wait != -1;'

# A pipe that nothing is ever written to: closing this end of it says stop.
directory=$(mktemp -d) && mkfifo "$directory/stop" || exit 1
exec 8<>"$directory/stop" 9<"$directory/stop"
rm -r "$directory"
perl -MIO::Socket -MPOSIX=:sys_wait_h -e "$accept" "$0" --answer <&9 8>&- 9<&- &
exec 3<&- 9<&-
trap 'printf STOPPING=1 >&"$NOTIFY_FD"; exec 8>&-' TERM

# One end of a datagram pair: what printf writes is one message.
printf READY=1 >&"$NOTIFY_FD"
wait # ended by the signal …
wait # … and this one when the last answer is out
