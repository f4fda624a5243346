"""A web server for tests that does not know crank: it answers GET on descriptor 3, or on the unix socket PATH of
at=PATH, and misbehaves as its arguments say.

usage: web.py VERSION [status=N] [after=N] [hang] [dribble] [plain] [deaf] [fork] [at=PATH]
"""
import os
import socket
import sys
import time

version = sys.argv[1]
habits = {key: value for key, _, value in (word.partition("=") for word in sys.argv[2:])}
status = int(habits.get("status", 200))
# How many requests get a 503 first.
refusals = int(habits.get("after", 0))

if "at" in habits:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(habits["at"])
    listener.listen(16)
else:
    listener = socket.socket(fileno=3)
    listener.settimeout(None)
if "fork" in habits and os.fork() != 0:
    # The child serves, as in a server with several processes.
    os.wait()
    sys.exit(0)
if "deaf" in habits:
    time.sleep(3600)


def serve(connection):
    global refusals
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(4096)
        if not more:
            return
        request += more
    if "hang" in habits:
        connection.recv(1)
        return
    if "plain" in habits:
        connection.sendall(b"what do you want?\n")
        return
    number = 503 if refusals > 0 else status
    refusals -= 1
    head = f"HTTP/1.1 {number} Whatever\r\nConnection: close\r\nLocation: /elsewhere\r\n"
    connection.sendall(head.encode())
    while "dribble" in habits:
        connection.sendall(b"X-More: and more\r\n")
        time.sleep(0.01)
    connection.sendall(f"Content-Length: {len(version)}\r\n\r\n{version}".encode())


while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except OSError:
        pass
    connection.close()
