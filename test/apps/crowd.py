"""Clients that connect and stay: crowd.py PORT COUNT PROCESSES. Prints `held` when all are connected; exits when its input ends."""

import os
import resource
import socket
import sys

port, count, processes = (int(word) for word in sys.argv[1:4])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
connected, done = os.pipe()
ends, end = os.pipe()
for number in range(processes):
    if os.fork() > 0:
        continue
    os.close(end)
    held = []
    for _ in range(count // processes + (1 if number < count % processes else 0)):
        one = socket.socket()
        # Each process uses its own source address, because the ports of one address are limited.
        one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        one.bind((f"127.0.1.{number + 1}", 0))
        one.connect(("127.0.0.1", port))
        held.append(one)
    os.write(done, b".")
    os.read(ends, 1)
    os._exit(0)
os.close(ends)
for _ in range(processes):
    os.read(connected, 1)
print("held", flush=True)
sys.stdin.read()
