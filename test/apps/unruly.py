"""A worker for tests of adoption: answers every connection with one line, after doing something that makes it hard to
recognise or to recover descriptors from.

usage: unruly.py DEED ...
"""
import ctypes
import os
import signal
import socket
import sys
import time

deeds = sys.argv[1:]
listener = socket.socket(fileno=3)

if "leaves-an-orphan" in deeds:
    # The process that sends READY=1 is an orphan by then, and waits for its turn.
    if os.fork() == 0:
        if os.fork() > 0:
            os._exit(0)
        while not os.path.exists(os.environ["HOLD"]):
            time.sleep(0.01)
        orphan = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        orphan.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        # Stays alive so that its message can be attributed to it.
        signal.pause()
    os.wait()
    signal.pause()

end = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
end.send(b"READY=1")

if "moves" in deeds:
    # The socket object of descriptor 3 closes it when it is deleted.
    listener = socket.socket(fileno=os.dup2(3, 77))
if "closes" in deeds:
    listener = socket.socket(fileno=os.dup2(3, 78))
    for descriptor in range(78):
        try:
            os.close(descriptor)
        except OSError:
            pass
if "closes-all" in deeds:
    os.closerange(0, 1024)
if "overwrites" in deeds:
    with open("/proc/self/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    # proc_pid_stat(5): arg_start, arg_end, env_start and env_end are fields 48 to 51.
    for start, stop in (fields[45:47], fields[47:49]):
        ctypes.memset(int(start), ord("x"), int(stop) - int(start) - 1)
    ctypes.CDLL(None).prctl(15, b"[kworker/0:1]", 0, 0, 0)
if "changes-user" in deeds:
    os.setgid(65534)
    os.setuid(65534)
if "closes-all" in deeds:
    signal.pause()

while True:
    connection, _ = listener.accept()
    connection.sendall(f"unruly {os.getpid()}\n".encode())
    connection.close()
