"""A worker that stores a descriptor of a file whose close(2) does not return: of its own FUSE file system, which answers
everything except FLUSH. Needs root and /dev/fuse. The mount is in a namespace of its own, and removed with the worker.

  stuck_files.py store     sends it with FDSTORE=1
  stuck_files.py number    sends its number with FDSTORE=1 and FDNUMBER=
"""

import array
import ctypes
import os
import socket
import struct
import sys
import tempfile
import time

LOOKUP, FORGET, GETATTR, OPEN, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 18, 25, 26
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18


def attributes(inode):
    mode = 0o40755 if inode == 1 else 0o100644
    return struct.pack("<6Q10I", inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode):
    if opcode == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, *[0] * 8)
    if opcode == LOOKUP:
        return struct.pack("<4Q2I", 2, 0, 1000, 1000, 0, 0) + attributes(2)
    if opcode == OPEN:
        return struct.pack("<Q2I", 1, 0, 0)
    return b""


def serve(device):
    """Returns when the worker has exited."""
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode in (FORGET, FLUSH):
            continue
        body = struct.pack("<Q2I", 1000, 0, 0) + attributes(node) if opcode == GETATTR else answer(opcode)
        os.write(device, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "mount or unshare")


def stuck_file():
    check(LIBC.unshare(CLONE_NEWNS))
    check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    place = tempfile.mkdtemp(dir="/dev/shm")
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    check(LIBC.mount(b"stuck", place.encode(), b"fuse", 0, options))
    if os.fork() == 0:
        serve(device)
    os.close(device)
    fd = os.open(f"{place}/file", os.O_RDONLY)
    LIBC.umount2(place.encode(), 2)
    os.rmdir(place)
    return fd


def main():
    notify = socket.socket(fileno=int(os.environ["NOTIFY_FD"]))
    notify.send(b"READY=1")
    fd = stuck_file()
    if sys.argv[1] == "store":
        for _ in range(3):
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))
            notify.sendmsg([b"FDSTORE=1"], [rights])
    else:
        notify.send(b"FDSTORE=1\nFDNUMBER=%d" % fd)
    print("said it", flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
