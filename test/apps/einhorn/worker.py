"""A worker for tests, written for einhorn and its relatives: it takes its socket from EINHORN_FD_0, answers every
connection with one line, `VERSION PID`, and prints its signals.

usage: worker.py VERSION [ack|ack-fd] [slow=SECONDS] [deaf] [deaf-to-term] [dies=FILE] [environment] [input]
`ack`: acknowledges on the control socket; `ack-fd`: on the descriptor that is connected to it. `slow`: after that time. `deaf`: does not exit on SIGUSR2. `dies=FILE`: exits with 3 as long as FILE exists.
"""
import json
import os
import signal
import socket
import sys
import time

version, habits = sys.argv[1], sys.argv[2:]


def say(*words):
    # One write, because a handler may interrupt another line.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def take(number, _frame):
    say(os.getpid(), "got", signal.Signals(number).name)
    goes = {signal.SIGUSR2: "deaf", signal.SIGTERM: "deaf-to-term", signal.SIGINT: "deaf", signal.SIGQUIT: "deaf"}
    if number in goes and goes[number] not in habits:
        os._exit(0)


for number in (1, 2, 3, 10, 12, 15, 18, 21, 22):
    signal.signal(number, take)
say("worker", version, os.getpid(), "is here")
for habit in habits:
    if habit.startswith("dies=") and os.path.exists(habit[5:]):
        sys.exit(3)
descriptor = int(os.environ.get("EINHORN_FD_0", "-1"))
if "environment" in habits:
    say(json.dumps({name: value for name, value in os.environ.items() if name.startswith(("EINHORN_", "TEST_"))}))
    for index in range(int(os.environ["EINHORN_FD_COUNT"])):
        one = socket.socket(fileno=os.dup(int(os.environ[f"EINHORN_FD_{index}"])))
        say("socket", index, one.getsockname()[0], os.get_blocking(one.fileno()),
            one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
if "input" in habits:
    say("reads", sys.stdin.readline().strip())
for habit in habits:
    if habit.startswith("slow="):
        time.sleep(float(habit[5:]))
if "ack-fd" in habits:
    with socket.socket(fileno=int(os.environ["EINHORN_SOCK_FD"])) as master:
        say("peer", os.readlink(f"/proc/self/fd/{master.fileno()}").split(":")[0], master.getpeername())
        master.sendall((json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\n").encode())
        say("answered", master.makefile().readline().strip())
if "ack" in habits:
    with socket.socket(socket.AF_UNIX) as master:
        master.connect(os.environ["EINHORN_SOCK_PATH"])
        master.sendall((json.dumps({"command": "worker:ack", "pid": os.getpid()}) + "\n").encode())
        say("answered", master.makefile().readline().strip())
if descriptor < 0:
    while True:
        signal.pause()
listener = socket.socket(fileno=descriptor)
listener.settimeout(None)
while True:
    connection, _ = listener.accept()
    connection.sendall(f"{version} {os.getpid()}\n".encode())
    connection.close()
