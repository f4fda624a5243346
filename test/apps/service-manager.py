"""The service manager's side of sd_notify(3) and of the descriptor store, for one service: accepts datagrams and their
descriptors from its main process only, and restarts the service with all stored descriptors.

usage: service-manager.py SOCKET COMMAND...
NOTIFY_SOCKET is bound to SOCKET (a leading @ makes it abstract). Commands are lines on standard input; events are JSON
objects on standard output, one per line. The service's output goes to standard error.
"""

import array
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
FIRST_FD = 3
CREDENTIALS_BYTES = 12


def tell(**what):
    print(json.dumps(what), flush=True)


def number_of(name):
    if name.startswith("SIGRTMIN+"):
        return signal.SIGRTMIN + int(name.split("+")[1])
    return getattr(signal, name)


class Manager:
    def __init__(self, path, command):
        self.path = "\0" + path[1:] if path.startswith("@") else path
        self.command = command
        self.environment = {**os.environ, "NOTIFY_SOCKET": path}
        self.notify = None
        self.is_deaf = False
        self.main = None
        self.restarts = False
        self.kept = []  # (name, descriptor), in the order in which they came
        self.listening = []
        self.open()

    def open(self):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify.bind(self.path)

    def close(self):
        self.notify.close()
        self.notify = None
        if not self.path.startswith("\0"):
            os.unlink(self.path)

    def start(self):
        passed = self.listening + self.kept
        pid = os.fork()
        if pid == 0:
            self.become(passed)
        self.main = pid
        tell(kind="started", pid=pid, passed=[name for name, _ in passed])

    def become(self, passed):
        try:
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for _, fd in passed]
            for index, fd in enumerate(high):
                os.dup2(fd, FIRST_FD + index)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(2, 1)
            os.closerange(FIRST_FD + len(passed), 400)
            environment = dict(self.environment)
            if passed:
                environment["LISTEN_PID"] = str(os.getpid())
                environment["LISTEN_FDS"] = str(len(passed))
                environment["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
            if "WATCHDOG_USEC" in environment:
                environment["WATCHDOG_PID"] = str(os.getpid())
            os.execvpe(self.command[0], self.command, environment)
        finally:
            os._exit(127)

    def collect(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid != self.main:
                continue
            self.main = None
            if self.notify is not None and not self.is_deaf:
                self.hear(pid)
            tell(kind="ended", pid=pid, status=os.waitstatus_to_exitcode(status))
            if self.restarts:
                self.restarts = False
                self.start()

    def hear(self, main):
        while True:
            try:
                data, control, _, _ = self.notify.recvmsg(8192, socket.CMSG_SPACE(CREDENTIALS_BYTES) + 4096)
            except BlockingIOError:
                return
            sender, fds = self.unpack(control)
            # NotifyAccess=main
            if sender != main:
                tell(kind="foreign", pid=sender, text=data.decode())
                for fd in fds:
                    os.close(fd)
                continue
            said = dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line)
            self.keep(said, fds)
            tell(kind="said", pid=sender, fds=len(fds), **{"said": said})

    def unpack(self, control):
        sender, fds = 0, array.array("i")
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                sender = int.from_bytes(data[:4], sys.byteorder)
            elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        return sender, list(fds)

    def keep(self, said, fds):
        name = said.get("FDNAME", "stored")
        is_valid = 0 < len(name) <= 255 and all(" " <= c < "\x7f" and c != ":" for c in name)
        if said.get("FDSTOREREMOVE") == "1":
            for known, fd in [kept for kept in self.kept if kept[0] == name]:
                self.kept.remove((known, fd))
                os.close(fd)
        for fd in fds:
            is_known = any(os.path.sameopenfile(fd, kept) for _, kept in self.kept)
            if said.get("FDSTORE") == "1" and is_valid and not is_known:
                self.kept.append((name, fd))
            else:
                os.close(fd)

    def obey(self, line):
        order, *words = line.split()
        if order == "start":
            self.start()
        elif order in ("signal", "restart"):
            self.restarts = order == "restart"
            tell(kind="signalling", at=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
            os.kill(self.main, number_of(words[0]))
        elif order == "listen":
            listener = socket.create_server((words[1], int(words[2])))
            self.listening.append((words[0], listener.detach()))
            tell(kind="listening", port=socket.socket(fileno=os.dup(self.listening[-1][1])).getsockname()[1])
        elif order == "file":
            self.listening.append((words[0], os.open("/dev/null", os.O_RDONLY)))
        elif order == "deaf":
            self.is_deaf = True
            tell(kind="deaf")
        elif order == "hear":
            self.is_deaf = False
            tell(kind="hearing")
        elif order == "close":
            self.close()
            tell(kind="closed")
        elif order == "open":
            self.open()
            tell(kind="opened")
        elif order == "store":
            tell(kind="store", names=[name for name, _ in self.kept])


def run(path, command):
    # Orphans become children of this process.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    manager = Manager(path, command)
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    tell(kind="ready")
    pending = b""
    while True:
        watched = [0, awake]
        if manager.notify is not None and not manager.is_deaf:
            watched.append(manager.notify)
        ready, _, _ = select.select(watched, [], [])
        if manager.notify is not None and manager.notify in ready:
            manager.hear(manager.main)
        if awake in ready:
            os.read(awake, 4096)
            manager.collect()
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                return
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                manager.obey(line.decode())


run(sys.argv[1], sys.argv[2:])
