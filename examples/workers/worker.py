# A worker in Python that crank can replace: it serves on the inherited socket, reports when it is ready, and on a stop
# signal finishes its requests. It needs no packages.
#
#   crank -bind :8080 -name web &
#   crankctl -name web run -wait -- python3 examples/workers/worker.py hello
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The first socket that crank passes on is descriptor 3; it is meant for this process and no other (sd_listen_fds(3)).
if os.environ.get("LISTEN_PID") != str(os.getpid()):
    sys.exit("no socket was passed on: run this under crank")
LISTENER = socket.socket(fileno=3)
# The socket is shared: another worker may accept first, and then a blocking accept would wait for the next connection.
LISTENER.setblocking(False)

NOTIFY = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
stopping = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5  # seconds that a connection may rest

    def do_GET(self):
        body = f"{' '.join(sys.argv[1:])} from {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = LISTENER
server.daemon_threads = False  # the process ends when the last answer is out


def stop(*_):
    stopping.set()
    NOTIFY.send(b"STOPPING=1")
    threading.Thread(target=server.shutdown).start()  # waits for serve_forever, which runs in this thread


signal.signal(signal.SIGTERM, stop)
NOTIFY.send(b"READY=1")
server.serve_forever(poll_interval=0.1)
server.server_close()
