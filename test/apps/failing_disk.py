"""Mounts a small file system of its own and runs a command that sees it. While the file FAILING exists, the disk fails:
its writes, or its reads too, end with EIO. Needs root and /dev/fuse; the mount is removed with the command.

  unshare --mount failing_disk.py DIRECTORY FAILING COMMAND [ARG...]

FAILING contains what fails, `writes` or `all`.
"""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, UNLINK, RENAME, OPEN, READ, WRITE = 1, 2, 3, 4, 10, 12, 14, 15, 16
STATFS, RELEASE, FSYNC, FLUSH, INIT, OPENDIR, RELEASEDIR, FSYNCDIR, CREATE, BATCH_FORGET = 17, 18, 20, 25, 26, 27, 29, 30, 35, 42
WRITING = {SETATTR, UNLINK, RENAME, WRITE, FSYNC, FSYNCDIR, CREATE}
IN_HEADER, DIRECT_IO, SIZE, MODE = 40, 1, 1 << 3, 1
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2


class Disk:
    def __init__(self, failing):
        self.failing = failing
        self.names = {}
        self.files = {1: (0o40755, bytearray())}

    def attributes(self, node):
        mode, content = self.files[node]
        links = 2 if node == 1 else list(self.names.values()).count(node)
        return struct.pack("<6Q10I", node, len(content), 8, *[0] * 6, mode, links, 0, 0, 0, 4096, 0)

    def entry(self, node):
        return struct.pack("<4Q2I", node, 0, 0, 0, 0, 0) + self.attributes(node)

    def node(self, name):
        if name not in self.names:
            raise OSError(errno.ENOENT, "")
        return self.names[name]

    def answer(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, *[0] * 8)
        if self.fails(opcode):
            raise OSError(errno.EIO, "")
        if opcode == LOOKUP:
            return self.entry(self.node(body[:-1]))
        if opcode in (GETATTR, SETATTR):
            if opcode == SETATTR:
                self.change(node, body)
            return struct.pack("<Q2I", 0, 0, 0) + self.attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<Q2I", 0, DIRECT_IO, 0)
        if opcode == CREATE:
            mode, name = struct.unpack_from("<I", body, 4)[0], body[16:-1]
            made = self.names[name] = max(self.files) + 1
            self.files[made] = (0o100000 | mode & 0o7777, bytearray())
            return self.entry(made) + struct.pack("<Q2I", 0, DIRECT_IO, 0)
        if opcode == UNLINK:
            self.node(body[:-1])
            del self.names[body[:-1]]
            return b""
        if opcode == RENAME:
            old, new = body[8:-1].split(b"\0")
            self.names[new] = self.node(old)
            del self.names[old]
            return b""
        if opcode in (READ, WRITE):
            at, size = struct.unpack_from("<QI", body, 8)
            content = self.files[node][1]
            if opcode == READ:
                return bytes(content[at : at + size])
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + size] = body[40 : 40 + size]
            return struct.pack("<2I", size, 0)
        if opcode == STATFS:
            return struct.pack("<5Q4I6I", 1000, 1000, 1000, 1000, 1000, 4096, 255, 4096, 0, *[0] * 6)
        if opcode in (RELEASE, FSYNC, FLUSH, RELEASEDIR, FSYNCDIR):
            return b""
        raise OSError(errno.ENOSYS, "")

    def change(self, node, body):
        valid, size, mode = struct.unpack_from("<I", body)[0], *struct.unpack_from("<Q", body, 16), *struct.unpack_from("<I", body, 68)
        before, content = self.files[node]
        if valid & SIZE:
            del content[size:]
            content.extend(bytes(size - len(content)))
        if valid & MODE:
            self.files[node] = (before & 0o170000 | mode & 0o7777, content)

    def fails(self, opcode):
        try:
            with open(self.failing) as file:
                return opcode in WRITING or (opcode == READ and file.read().strip() == "all")
        except FileNotFoundError:
            return False

    def serve(self, device):
        """Returns when the mount is removed."""
        while True:
            try:
                request = os.read(device, 1 << 18)
            except OSError:
                return
            length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in (FORGET, BATCH_FORGET):
                continue
            try:
                error, body = 0, self.answer(opcode, node, request[IN_HEADER:length])
            except OSError as failure:
                error, body = -failure.errno, b""
            os.write(device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "mount or unshare")


def main():
    place, failing, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    check(LIBC.mount(b"failing", place.encode(), b"fuse", 0, options))
    # A grandchild, so that the command has no unknown child.
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            # Only the command may see the mount.
            check(LIBC.unshare(CLONE_NEWNS))
            check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
            check(LIBC.umount2(place.encode(), MNT_DETACH))
            os.setsid()
            for fd in range(64):
                if fd != device:
                    try:
                        os.close(fd)
                    except OSError:
                        pass
            Disk(failing).serve(device)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(device)
    os.execvp(command[0], command)


main()
