# A worker that is ready without serving crank's sockets. Arguments: descriptors that it closes, what it listens on instead
# (tcp, udp, unix:PATH, nothing), and how: `self`, or `child`, in which a child process keeps the descriptors.
import os
import signal
import socket
import sys

closed, instead, how = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "self"
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if how == "child" and os.fork() == 0:
    os.close(int(os.environ["NOTIFY_FD"]))
    signal.pause()
if how == "moved":
    for fd in map(int, filter(None, closed.split(","))):
        os.dup2(fd, fd + 40)
for fd in map(int, filter(None, closed.split(","))):
    os.close(fd)
other = None
if instead == "tcp":
    other = socket.create_server(("127.0.0.1", 0))
elif instead == "udp":
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
elif instead.startswith("unix:"):
    other = socket.socket(socket.AF_UNIX)
    other.bind(instead[5:])
    other.listen()
if other is not None:
    print("elsewhere:", other.getsockname(), flush=True)
if how != "silent":
    os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
signal.pause()
