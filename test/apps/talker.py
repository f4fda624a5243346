"""A worker for tests that is controlled over HTTP, on descriptor 3. It sends READY=1 when it listens, unless it is
started with other words to send; wait=SECONDS is a pause between two, feed=SECONDS is GET /feed.

usage: talker.py VERSION [WORD…]

  GET /                    VERSION PID
  GET /healthz             200; after /sick 503, after /hang nothing (/sick?VERSION: only one of that version)
  GET /say?WORDS           sends the words, which are percent-encoded, on its notify socket
  GET /feed?SECONDS        sends WATCHDOG=1 at this interval from now on; /starve ends that
  GET /feed-by-child?SEC   a child of it does
  GET /barrier             sends BARRIER=1 and answers when it is done
  GET /move                forks: the child serves from now on, and sends MAINPID=; the parent waits for it
  GET /env?NAME            the value of an environment variable
"""
import os
import select
import signal
import socket
import sys
import threading
import time
import urllib.parse

version = sys.argv[1]
notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
listener = socket.socket(fileno=3)
listener.settimeout(None)
health = "ok"
period = 0.0


def feed():
    while True:
        if period > 0:
            notify.send(b"WATCHDOG=1")
        time.sleep(period or 0.01)


def barrier():
    reading, writing = os.pipe()
    socket.send_fds(notify, [b"BARRIER=1"], [writing])
    os.close(writing)
    poll = select.poll()
    poll.register(reading, select.POLLHUP)
    return "through" if poll.poll(20000) else "stuck"


def move():
    child = os.fork()
    if child > 0:
        listener.close()
        os.waitpid(child, 0)
        os._exit(0)
    notify.send(f"MAINPID={os.getpid()}".encode())
    return str(os.getpid())


def feed_by_child(seconds):
    if os.fork() == 0:
        listener.close()
        while os.getppid() != 1:
            notify.send(b"WATCHDOG=1")
            time.sleep(float(seconds))
    return "ok"


def answer(path, query):
    global health, period
    if path == "/":
        return f"{version} {os.getpid()}"
    if path in ("/sick", "/hang"):
        health = path[1:] if query in ("", version) else health
    elif path == "/say":
        notify.send(urllib.parse.unquote_to_bytes(query))
    elif path == "/feed":
        period = float(query)
    elif path == "/starve":
        period = 0.0
    elif path == "/feed-by-child":
        return feed_by_child(query)
    elif path == "/barrier":
        return barrier()
    elif path == "/move":
        return move()
    elif path == "/env":
        return os.environ.get(query, "")
    return "ok"


def serve(connection):
    request = ""
    while "\r\n\r\n" not in request:
        more = connection.recv(65536).decode("latin-1")
        if not more:
            return
        request += more
    path, _, query = request.split(" ")[1].partition("?")
    if path == "/healthz" and health == "hang":
        time.sleep(600)
    status = 503 if path == "/healthz" and health == "sick" else 200
    body = answer(path, query).encode()
    connection.sendall(f"HTTP/1.1 {status} So\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


threading.Thread(target=feed, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
for word in sys.argv[2:] or ["READY=1"]:
    if word.startswith("wait="):
        time.sleep(float(word[5:]))
    elif word.startswith("feed="):
        period = float(word[5:])
    else:
        notify.send(word.encode())
while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except OSError:
        pass
    connection.close()
