"""
Waits until the page cache has as many pages of a file as are wanted, and no more come, and prints which: a digit
for each. FILE TRIES PAGES; a try is a tenth of a second.
"""
import ctypes, os, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
count = (size + 4095) // 4096
at = libc.mmap(None, size, 1, 1, fd, 0)
state = ctypes.create_string_buffer(count)


def resident():
    if libc.mincore(at, size, state):
        raise OSError(ctypes.get_errno(), "mincore")
    return "".join(str(byte & 1) for byte in state.raw)


pages = resident()
same = 0
for _ in range(int(sys.argv[2])):
    time.sleep(0.1)
    now = resident()
    # Whoever stores them has the lowest claim to a processor, and may wait long for his turn.
    same = same + 1 if now == pages and now.count("1") >= int(sys.argv[3]) else 0
    if same == 15:
        break
    pages = now
print(resident())
