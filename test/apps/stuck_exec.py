"""A worker with a process that hangs in execve(2), because the exec closes a descriptor of its own FUSE file system, which
answers everything except FLUSH. Reading /proc/PID/stat of that process blocks until it is killed together with the server of
its files. Needs root and /dev/fuse.

  stuck_exec.py child    a child of the worker is stuck
  stuck_exec.py orphan   an orphan of the worker is stuck, in a session of its own
  stuck_exec.py main     the worker is stuck itself
"""

import os
import socket
import sys
import time

from stuck_files import stuck_file


def execute():
    fd = stuck_file()
    os.set_inheritable(fd, False)
    os.execv("/bin/sleep", ["sleep", "600"])


def is_stuck(pid):
    """Reading its memory map blocks as well, so another process does it."""
    asker = os.fork()
    if asker == 0:
        open(f"/proc/{pid}/stat").read()
        os._exit(0)
    time.sleep(0.2)
    ended, _ = os.waitpid(asker, os.WNOHANG)
    if ended != 0:
        return False
    os.kill(asker, 9)
    os.waitpid(asker, 0)
    return True


def start(way):
    """Returns the pid of the process that will be stuck."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        if way == "orphan":
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
        os.write(into, b"%d" % os.getpid())
        execute()
    if way == "orphan":
        os.waitpid(child, 0)
    return int(os.read(out, 32))


def main():
    notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
    way = sys.argv[1]
    if way != "main":
        pid = start(way)
        while not is_stuck(pid):
            pass
        print("stuck", pid, flush=True)
    notify.send(b"READY=1")
    if way == "main":
        print("stuck", os.getpid(), flush=True)
        execute()
    while True:
        time.sleep(1)


main()
