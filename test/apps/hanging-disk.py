# Opening a file in the directory argv[1] blocks, as on a hanging disk, until this process ends (fanotify(7), which needs
# CAP_SYS_ADMIN). Prints "hangs" when it is active; with --check after the directory, exits at once.
import ctypes, os, signal, sys

FAN_CLASS_CONTENT, FAN_MARK_ADD, FAN_OPEN_PERM, FAN_EVENT_ON_CHILD, AT_FDCWD = 0x04, 0x01, 0x00010000, 0x08000000, -100
libc = ctypes.CDLL(None, use_errno=True)
libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
group = libc.fanotify_init(FAN_CLASS_CONTENT, os.O_RDONLY)
if group < 0: sys.exit(1)
if libc.fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD, sys.argv[1].encode()) < 0: sys.exit(1)
if sys.argv[2:] != ["--check"]:
    print("hangs", flush=True)
    signal.pause()
