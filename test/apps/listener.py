"""A worker for tests that was never written for crank: it answers every connection on descriptor 3 with one line,
`VERSION PID`, prints the name of each signal that it gets, and ends by TERM, INT and QUIT.

usage: listener.py VERSION [deaf] [dies] [input] [identity]
"""
import os
import signal
import socket
import sys

version, habits = sys.argv[1], sys.argv[2:]


def say(*words):
    # One write: a handler may interrupt another line.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def take(number, _frame):
    say("got", signal.Signals(number).name)
    if "deaf" not in habits and number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        os._exit(0)


for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
    signal.signal(number, take)
say("worker", version, "has", os.environ.get("EINHORN_FDS"))
if "identity" in habits:
    say("runs as", os.getuid(), os.getgid(), sorted(os.getgroups()))
if "input" in habits:
    say("reads", sys.stdin.readline().strip())
if "dies" in habits:
    sys.exit(7)
listener = socket.socket(fileno=3)
listener.settimeout(None)
while True:
    connection, _ = listener.accept()
    try:
        connection.sendall(f"{version} {os.getpid()}\n".encode())
    except OSError:
        pass
    connection.close()
