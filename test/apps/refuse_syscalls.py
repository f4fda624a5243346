"""Runs a command for which the kernel refuses some system calls, as an older kernel or a container's profile does.

  refuse_syscalls.py ERRNO NAME,NAME... COMMAND [ARG...]
"""

import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {  # x86-64, aarch64
    "memfd_create": (319, 279),
    "keyctl": (250, 219),
    "statx": (332, 291),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "execveat": (322, 281),
    "close_range": (436, 436),
    "pidfd_getfd": (438, 438),
}
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def main():
    code, names, command = getattr(errno, sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
    column = 0 if platform.machine() == "x86_64" else 1
    steps = [struct.pack("<HBBI", LOAD, 0, 0, 0)]
    for name in names:
        steps.append(struct.pack("<HBBI", EQUALS, 0, 1, NUMBERS[name][column]))
        steps.append(struct.pack("<HBBI", RETURN, 0, 0, REFUSE | code))
    steps.append(struct.pack("<HBBI", RETURN, 0, 0, ALLOW))
    text = ctypes.create_string_buffer(b"".join(steps))
    program = Program(len(steps), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)


main()
