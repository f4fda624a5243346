"""A server that fails its clients, to prove that the load client notices. It prints its port.

usage: faulty.py (reset|cut|hang-up)
  reset    every connection is reset after its first line
  cut      every connection gets half an answer and is closed
  hang-up  every connection is answered, and closed without an answer at its next line
"""
import socket
import struct
import sys
import threading

misdeed = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(listener.getsockname()[1], flush=True)


def serve(connection):
    connection.recv(4096)
    if misdeed == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif misdeed == "cut":
        connection.sendall(b"half an ans")
    else:
        connection.sendall(b"answer\n")
        connection.recv(4096)
    if misdeed != "reset":
        # Unread data at the close would cause a reset.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    connection.close()


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
