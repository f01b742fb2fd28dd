"""
Looks which pages of a file the page cache gets, until it had those that are wanted and no more come, and prints them: a
digit for each that was ever there. FILE SECONDS PAGES.

Whoever stores them has the lowest claim to a processor, and may wait long for his turn; and a machine that pages
out what nobody has mapped and touched (DAMON) takes the first ones away meanwhile: what is there is touched.
"""
import ctypes, os, sys, time

MADV_RANDOM = 1
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
count = (size + 4095) // 4096
at = libc.mmap(None, size, 1, 1, fd, 0)
state = ctypes.create_string_buffer(count)
contents = (ctypes.c_char * size).from_address(at)
# Should a page be gone when it is touched, it comes alone.
libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(size), MADV_RANDOM)


def resident():
    if libc.mincore(at, size, state):
        raise OSError(ctypes.get_errno(), "mincore")
    return "".join(str(byte & 1) for byte in state.raw)


def touch(pages):
    for number, page in enumerate(pages):
        if page == "1":
            contents[number * 4096]


seen = resident()
end = time.monotonic() + float(sys.argv[2])
changed = time.monotonic()
while time.monotonic() < end:
    time.sleep(0.02)
    there = resident()
    touch(there)
    now = "".join(map(max, seen, there))
    if now != seen:
        seen, changed = now, time.monotonic()
    if seen.count("1") >= int(sys.argv[3]) > 0 and time.monotonic() > changed + 1.5:
        break
print(seen)
