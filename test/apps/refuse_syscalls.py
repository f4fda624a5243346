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
    "madvise": (28, 233),
    "mmap-file": (9, 222),  # mmap of a file: no other is refused
    "memfd_create": (319, 279),
    "keyctl": (250, 219),
    "statx": (332, 291),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "execveat": (322, 281),
    "close_range": (436, 436),
    "pidfd_getfd": (438, 438),
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "get_mempolicy": (239, 236),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "mbind": (237, 235),
    "mount": (165, 40),
    "move_pages": (279, 239),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "set_mempolicy": (238, 237),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
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
        if name == "mmap-file":
            # The fifth argument is the descriptor, -1 without a file.
            steps.append(struct.pack("<HBBI", EQUALS, 0, 3, NUMBERS[name][column]))
            steps.append(struct.pack("<HBBI", LOAD, 0, 0, 16 + 8 * 4))
            steps.append(struct.pack("<HBBI", EQUALS, 1, 0, 0xFFFFFFFF))
            steps.append(struct.pack("<HBBI", RETURN, 0, 0, REFUSE | code))
            steps.append(struct.pack("<HBBI", LOAD, 0, 0, 0))
            continue
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
