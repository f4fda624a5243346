"""An echo server that leaves its connections to its successor: python3 handover.py VERSION [WORD...].

It answers each line with VERSION and the line. Words: "fails" before it is ready; "hangs" instead of becoming ready;
"takes" stored connections while it runs; "numbers": names descriptor numbers instead of sending descriptors; "keeps" its
own copies open in a child process when it exits.
"""
import os
import selectors
import signal
import socket
import stat
import sys

version, words = sys.argv[1], sys.argv[2:]
selector = selectors.DefaultSelector()
notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
connections = {}


def say(text, *fds):
    socket.send_fds(notify, [text.encode()], fds)


def add(fd, name):
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        os.close(fd)
        return
    connection = socket.socket(fileno=fd)
    connection.setblocking(True)
    connections[name] = connection
    selector.register(connection, selectors.EVENT_READ, lambda: answer(connection, name))


def answer(connection, name):
    data = connection.recv(4096)
    if data:
        connection.sendall(b"".join(f"{version} ".encode() + line + b"\n" for line in data.splitlines()))
        return
    selector.unregister(connection)
    connection.close()
    del connections[name]


def accept():
    try:
        connection, address = listener.accept()
    except BlockingIOError:
        return
    add(connection.detach(), f"client-{address[1]}")


def take():
    data, fds, _, _ = socket.recv_fds(notify, 65536, 253)
    said = dict(line.split("=", 1) for line in data.decode().splitlines())
    print("took", said["FDNAMES"], "left", said["FDLEFT"], flush=True)
    for fd, name in zip(fds, said["FDNAMES"].split(":")):
        add(fd, name)
    say("FDTAKE=1")


def leave(*_):
    for name, connection in connections.items():
        if "numbers" not in words:
            say(f"FDSTORE=1\nFDNAME={name}", connection.fileno())
            continue
        say(f"FDSTORE=1\nFDNAME={name}\nFDNUMBER={connection.fileno()}")
        print("heard", notify.recv(4096).decode().replace("\n", " "), flush=True)
    if "keeps" in words and os.fork() == 0:
        os.setsid()
        signal.pause()
    os._exit(0)


listeners = int(os.environ["EINHORN_FD_COUNT"])
names = os.environ["LISTEN_FDNAMES"].split(":")
given = list(zip(names, range(3, 3 + int(os.environ["LISTEN_FDS"]))))[listeners:]
print("given", ":".join(name for name, _ in given) or "nothing", flush=True)
if "fails" in words:
    sys.exit(1)
if "hangs" in words:
    signal.pause()
listener = socket.socket(fileno=3)
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ, accept)
signal.signal(signal.SIGTERM, leave)
say("READY=1")
for name, fd in given:
    add(fd, name)
if "takes" in words:
    selector.register(notify, selectors.EVENT_READ, take)
    say("FDTAKE=1")
while True:
    for key, _ in selector.select():
        key.data()
