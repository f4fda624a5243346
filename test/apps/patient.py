"""A server for tests of process trees: it answers every line of a client with `VERSION PID`, `hold` only when the file $HOLD
exists. After SIGTERM it exits when every accepted client is answered. It writes its pid into the file $PIDS.

usage: patient.py VERSION [HABIT ...]
`deaf`: ignores SIGTERM. `main`: declares itself the worker's main process. `silent`: never sends READY=1.
"""
import os
import select
import signal
import socket
import sys
import threading
import time

version, habits = sys.argv[1], sys.argv[2:]
listener = socket.socket(fileno=3)
ended, wake = socket.socketpair()
wake.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in habits else lambda *_: None)
if "PIDS" in os.environ:
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{os.getpid()}\n")


def answer(connection):
    try:
        line = connection.makefile().readline().strip()
        while line == "hold" and not os.path.exists(os.environ["HOLD"]):
            time.sleep(0.01)
        connection.sendall(f"{version} {os.getpid()}\n".encode())
    except OSError:
        pass
    finally:
        connection.close()


clients = []
listener.setblocking(False)
words = [f"MAINPID={os.getpid()}"] if "main" in habits else []
if "silent" not in habits:
    words.append("READY=1")
if words:
    os.write(int(os.environ["NOTIFY_FD"]), "\n".join(words).encode())
while True:
    readable, _, _ = select.select([listener, ended], [], [])
    if ended in readable:
        break
    try:
        connection, _ = listener.accept()
    except OSError:
        continue
    connection.setblocking(True)
    answering = threading.Thread(target=answer, args=(connection,))
    answering.start()
    clients.append(answering)
# Connections in the queue stay there for the next worker.
# In one write: other workers write to the same pipe.
os.write(1, f"{version} stops\n".encode())
for client in clients:
    client.join()
os._exit(0)
