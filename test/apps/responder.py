"""A worker for tests: answers every connection with one line, `VERSION PID`, and misbehaves on request, like
responder.c.

usage: responder.py VERSION [MISDEED ...]
"""
import os
import select
import signal
import socket
import sys
import time

version, misdeeds = sys.argv[1], sys.argv[2:]


def notify(message):
    end = socket.socket(fileno=os.dup(int(os.environ["NOTIFY_FD"])))
    end.send(message)
    end.close()


if "exit-3" in misdeeds:
    print("the last words of", version, flush=True)
    sys.exit(3)
if "exit-0" in misdeeds:
    sys.exit(0)
if "never-ready" in misdeeds:
    print("the last words of", version, flush=True)
    time.sleep(3600)

listener = socket.socket(fileno=3)

if "deaf" in misdeeds:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

if "garbage" in misdeeds:
    notify(bytes(range(256)))
    notify(b"x" * 65536)
    for number in range(10000):
        notify(b"STATUS=%d" % number)
if "held" in misdeeds:
    while not os.path.exists(os.environ["HOLD"]):
        time.sleep(0.01)
if "acknowledge" in misdeeds:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.connect(os.environ["EINHORN_SOCK_PATH"])
    end.sendall(b'{"command":"worker:ack","pid":%d}\n' % os.getpid())
    assert end.recv(1) == b"", "an acknowledgement is not answered"
elif "path" in misdeeds:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.sendto(b"STATUS=on its way\nREADY=1\n", os.environ["NOTIFY_SOCKET"])
else:
    notify(b"READY=1")
if "twice" in misdeeds:
    notify(b"READY=1\n")
if "shutdown" in misdeeds:
    listener.shutdown(socket.SHUT_RDWR)
    listener = socket.socket(fileno=os.dup(3))
if "dies" in misdeeds:
    time.sleep(float(os.environ.get("DIE_AFTER", "0.05")))
    os._exit(9)

# From here on SIGTERM takes effect only between connections: an accepted client is answered, a waiting one is left to the
# next worker. (accept(2) also returns a connection that arrived after the signal, which is handled only then.)
ended, wake = socket.socketpair()
wake.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
if "deaf" not in misdeeds:
    signal.signal(signal.SIGTERM, lambda *_: None)
listener.setblocking(False)

print("worker", version, "serves", flush=True)
while True:
    readable, _, _ = select.select([listener, ended], [], [])
    # Checked again, because a connection that arrived before this process ran again ends select(2) without the signal.
    if ended in readable or select.select([ended], [], [], 0)[0]:
        os._exit(0)
    try:
        connection, _ = listener.accept()
    except OSError:
        time.sleep(0.01)
        continue
    try:
        connection.sendall(f"{version} {os.getpid()}\n".encode())
        connection.close()
    except OSError:
        pass
