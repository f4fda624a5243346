"""A worker that accepts connections and holds them: holder.py CHILDREN MOST. Its children accept, or it does itself
without children; each up to MOST connections. On SIGUSR1 each writes its number of connections into a file of its own
in HOLDER_DIR, WORKER.PID. It exits on SIGINT, and stops accepting on SIGTERM."""

import os
import resource
import selectors
import signal
import socket
import sys

children, most = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
listening = [socket.socket(fileno=3 + index) for index in range(int(os.environ["LISTEN_FDS"]))]
held = []


def tell(*_):
    path = f"{os.environ['HOLDER_DIR']}/{os.environ['CRANK_WORKER']}.{os.getpid()}"
    with open(f"{path}.new", "w") as file:
        file.write(str(len(held)))
    os.rename(f"{path}.new", path)


def stop(*_):
    for one in listening:
        one.close()
    listening.clear()


def serve():
    signal.signal(signal.SIGUSR1, tell)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    selector = selectors.DefaultSelector()
    for one in listening:
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ)
    while listening and len(held) < most:
        for key, _ in selector.select():
            try:
                while listening and len(held) < most:
                    held.append(key.fileobj.accept()[0])
            except OSError:
                pass  # another one has it
    selector.close()
    while True:
        signal.pause()


for _ in range(children):
    if os.fork() == 0:
        serve()
if children > 0:
    for name in ("SIGUSR1", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
socket.socket(fileno=int(os.environ["NOTIFY_FD"])).send(b"READY=1")
if children == 0:
    serve()
while True:
    signal.pause()
