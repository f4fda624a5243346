# A worker that keeps descriptor 3 and listens on its own port, on all addresses or the one in its argument. Arguments:
# how it waits for connections on its own port, how on descriptor 3 (epoll, poll, accept, nothing), and the address.
import os
import selectors
import signal
import socket
import sys
import threading
import time

own, given, address = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "0.0.0.0"
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def answer(listener):
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    connection.close()


def serve(listener, how):
    if how == "nothing":
        return
    waiting = {"epoll": selectors.EpollSelector, "poll": selectors.PollSelector}.get(how)
    selector = waiting() if waiting else None
    if selector:
        selector.register(listener, selectors.EVENT_READ)
    waits.set()
    while True:
        if selector:
            selector.select()
        answer(listener)


def sleeps(thread):
    """Whether the thread waits in the kernel."""
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


beside = socket.create_server((address, 0))
for listener, how in ((beside, own), (socket.socket(fileno=3), given)):
    waits = threading.Event()
    thread = threading.Thread(target=serve, args=(listener, how), daemon=True)
    thread.start()
    if how == "nothing":
        listener.detach()
        continue
    # Reports readiness only when it waits, because crank checks at once.
    waits.wait()
    while not sleeps(thread):
        time.sleep(0.001)
os.write(int(os.environ["NOTIFY_FD"]), b"READY=1")
signal.pause()
