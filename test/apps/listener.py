"""A worker for tests that does not know crank: it answers every connection on descriptor 3 with one line,
`VERSION PID`, prints the name of each signal that it gets, and exits on TERM, INT and QUIT.

usage: listener.py VERSION [deaf] [dies] [input] [identity]
"""
import os
import select
import signal
import socket
import sys

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

version, habits = sys.argv[1], sys.argv[2:]
serves = ends = False


def say(*words):
    # One write, because a handler may interrupt another line.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def take(number, _frame):
    global ends
    say("got", signal.Signals(number).name)
    ends = ends or ("deaf" not in habits and number in ENDING)
    # Only between two connections once it accepts, so that an accepted client is answered.
    if ends and not serves:
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
listener.setblocking(False)
told, wake = socket.socketpair()
wake.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
serves = True
while not ends:
    readable, _, _ = select.select([listener, told], [], [])
    # A connection that arrived before this process ran again ends select(2) without the signal.
    if ends:
        break
    if told in readable:
        told.recv(64)
        continue
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    try:
        connection.sendall(f"{version} {os.getpid()}\n".encode())
    except OSError:
        pass
    connection.close()
