"""A worker for tests that is ready at once, and on SIGUSR1 starts a child that takes 96 MB and keeps it."""
import os
import signal
import socket


def hoard(*_):
    if os.fork() == 0:
        hoarded = bytearray(os.urandom(1 << 20)) * 96
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while hoarded:
            signal.pause()


signal.signal(signal.SIGUSR1, hoard)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
socket.socket(fileno=int(os.environ["NOTIFY_FD"])).send(b"READY=1")
while True:
    signal.pause()
