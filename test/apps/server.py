"""A server for load tests, in one thread: `once` is answered with `VERSION PID` and closed, `stay` opens a connection
that is answered line by line until one side goes. On SIGTERM it stops accepting, says `bye` to those that stay, and
ends when the last of them has hung up, so that nothing that was sent is ever lost or reset.

usage: server.py VERSION
"""
import os
import selectors
import signal
import socket
import sys

version = sys.argv[1]
poll = selectors.DefaultSelector()
listener = socket.socket(fileno=3)
listener.setblocking(False)
staying = {}
draining = False
wake_read, wake_write = os.pipe()
os.set_blocking(wake_write, False)
signal.set_wakeup_fd(wake_write)
signal.signal(signal.SIGTERM, lambda *_: None)


def hang_up(connection):
    poll.unregister(connection)
    staying.pop(connection, None)
    connection.close()


def accept():
    # One at a time: the listener is shared, and whoever is free takes the next.
    try:
        connection, _ = listener.accept()
    except (BlockingIOError, InterruptedError):
        return
    connection.setblocking(False)
    poll.register(connection, selectors.EVENT_READ, b"")


def hear(key):
    connection = key.fileobj
    try:
        data = connection.recv(4096)
    except BlockingIOError:
        return
    except OSError:
        return hang_up(connection)
    if not data:
        return hang_up(connection)
    *lines, rest = (key.data + data).split(b"\n")
    for line in lines:
        if line == b"once":
            connection.sendall(b"%s %d\n" % (version.encode(), os.getpid()))
            return hang_up(connection)
        staying[connection] = True
        connection.sendall(b"%s %d\n" % (version.encode(), os.getpid()))
    poll.modify(connection, selectors.EVENT_READ, rest)


def drain():
    global draining
    draining = True
    poll.unregister(listener)
    listener.close()
    for connection in list(staying):
        try:
            connection.sendall(b"bye\n")
        except OSError:
            hang_up(connection)


poll.register(listener, selectors.EVENT_READ, "listener")
poll.register(wake_read, selectors.EVENT_READ, "wake")
notify = socket.socket(fileno=os.dup(int(os.environ["NOTIFY_FD"])))
notify.send(b"READY=1")
notify.close()
while not (draining and len(poll.get_map()) == 1):
    for key, _ in poll.select():
        if key.data == "listener":
            accept()
        elif key.data == "wake":
            os.read(wake_read, 64)
            if not draining:
                drain()
        else:
            hear(key)
