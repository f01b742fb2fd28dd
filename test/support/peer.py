"""Stands at the rendezvous of a bundle in place of a holder, or talks to one in place of a start.

peer.py UID listen NAME ANSWER [LOCK]  binds the abstract socket, prints a line, answers each start
                                       and prints how many bytes and descriptors that one has sent
peer.py UID ask NAME [LOCK HOW [PID]]  connects as a start, prints how many descriptors came

LOCK is share.lock of a home: then the peer shows there who it is, as runtime/share/proof.h has it, and
HOW says what it does differently. PID is the holder. UID "-" is whoever runs this.
"""
import array, ctypes, fcntl, os, signal, socket, stat, struct, sys, time

uid, what, name = sys.argv[1], sys.argv[2], "\0" + sys.argv[3]
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS = 0x10000000, 0x20000
START, HOLDER = 0, 1


def become():
    if uid != "-":
        os.setgroups([])
        os.setresgid(int(uid), int(uid), int(uid))
        os.setresuid(int(uid), int(uid), int(uid))
        libc.prctl(4, 1)  # PR_SET_DUMPABLE: its own files of /proc are this user's


def lock(file, side, mark, kind=fcntl.F_WRLCK, length=1, call=fcntl.F_SETLK, pid=None):
    byte = int.from_bytes(mark, "little") << 22 | side << 62 | (pid or os.getpid())
    fcntl.fcntl(file, call, struct.pack("hhqqi4x", kind, 0, byte, length, 0))


def own_mark(here):
    return here.getsockname()[1:]


HOLDER_MARK = bytes.fromhex(sys.argv[3][9:19])


# ---- in place of a start ----


def ask():
    file, how = (sys.argv[4], sys.argv[5]) if len(sys.argv) > 5 else (None, "unproven")
    if how.startswith("reused"):
        return ask_by_reused_number(file, how)
    become()
    here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if how == "longer name":
        here.bind(b"\0" + os.urandom(8))
    elif how != "unnamed":
        here.bind("")
    mark = own_mark(here)[:5] if how != "unnamed" else b"00000"
    try:
        fd = os.open(file, os.O_RDONLY if how == "read-only" else os.O_RDWR) if file else None
        prove(fd, how, mark)
    except OSError as error:
        print(f"no lock: {error}", file=sys.stderr)
    here.connect(name)
    if how == "garbage":
        try:
            here.sendmsg([os.urandom(200)], [(1, 1, array.array("i", [0, 1, 2]))])
        except OSError:
            pass
    return receive(here)


def prove(fd, how, mark):
    if how in ("right", "unnamed", "longer name", "read-only", "garbage"):
        lock(fd, START, mark)
    elif how == "read lock":
        lock(fd, START, mark, fcntl.F_RDLCK)
    elif how == "of two bytes":
        lock(fd, START, mark, length=2)
    elif how == "of the open file":  # F_OFD_SETLK: of no process
        lock(fd, START, mark, call=37)
    elif how == "of the other side":
        lock(fd, HOLDER, mark)
    elif how == "of another name":
        lock(fd, START, bytes(b ^ 1 for b in mark))
    elif how == "of another process":
        ready, told = os.pipe()
        parent = os.getpid()
        if os.fork() == 0:
            libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            lock(fd, START, mark, pid=parent)
            os.write(told, b"x")
            time.sleep(600)
            os._exit(0)
        os.read(ready, 1)
    elif how != "unproven":
        raise SystemExit(f"peer.py: what is {how}?")


def ask_by_reused_number(file, how):
    """The process that connected has ended; another one of this user, with its number, has a lock:
    for a socket of its own (as an honest start has), or for this one."""
    holder = int(sys.argv[6])
    os.kill(holder, signal.SIGSTOP)
    # Somebody else's process may have got the number, and keep it.
    for _ in range(100):
        here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here.bind("")
        first = os.fork()
        if first == 0:
            become()
            here.connect(name)
            os._exit(0)
        os.waitpid(first, 0)
        if any(start_with_number(first, file, how, here) for _ in range(100)):
            break
    else:
        raise SystemExit("peer.py: the number was not given again")
    os.kill(holder, signal.SIGCONT)
    return receive(here)


LAST = "/proc/sys/kernel/ns_last_pid"


def last_number():
    with open(LAST) as last:
        return int(last.read())


def give_next(number):
    with open(LAST, "w") as last:
        last.write(str(number - 1))


def start_with_number(number, file, how, here):
    """A process with a lock, which goes on where it has the number."""
    ready, told = os.pipe()
    latest = last_number()
    give_next(number)
    second = os.fork()
    if second == 0:
        become()
        libc.prctl(1, signal.SIGKILL)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own.bind("")
        lock(os.open(file, os.O_RDWR), START, own_mark(own if how == "reused" else here))
        os.write(told, b"x")
        time.sleep(600)
        os._exit(0)
    # Else other tests' processes would have the numbers of some that have just ended.
    give_next(latest + 1)
    os.read(ready, 1)
    os.close(ready)
    os.close(told)
    if second == number:
        return True
    os.kill(second, signal.SIGKILL)
    os.waitpid(second, 0)
    return False


def receive(here):
    here.settimeout(60)
    try:
        _, control, _, _ = here.recvmsg(16, socket.CMSG_SPACE(16))
        return sum(len(data) // 4 for _, _, data in control)
    except ConnectionError:
        return 0


# ---- in place of a holder ----


# What a holder calls the strategies: fuse, loop and fusermount (M).
LETTERS = {"F": "e", "L": "p", "M": "t"}


def make_users(inside):
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(NEWUSER | NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write(f"{uid if inside is None else inside} {uid} 1")
    open("/proc/self/gid_map", "w").write(f"{gid if inside is None else inside} {gid} 1")
    return os.open("/proc/self/ns/user", os.O_RDONLY)


def make_mount(flags, clone):
    """A FUSE mount that nobody serves."""
    device = os.open("/dev/fuse", os.O_RDWR)
    os.set_inheritable(device, True)
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    if libc.mount(b"peer", b"/mnt", b"fuse", flags, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount")
    mount = libc.syscall(428, -100, b"/mnt", clone)  # open_tree
    if mount < 0:
        raise OSError(ctypes.get_errno(), "open_tree")
    return mount


def handed(answer):
    """The word and the descriptors that go with it."""
    word, _, kind = answer.partition(" ")
    if kind == "alone":
        return word, []
    if kind == "files":
        return word, [os.open(file, os.O_RDONLY) for file in ("/usr/bin/env", "/", "/usr")]
    if kind == "file":
        return word, [os.open("/dev/null", os.O_RDONLY)]
    if kind == "folder":
        return word, [os.open("/", os.O_PATH)]
    host = os.open("/proc/self/ns/user", os.O_RDONLY)
    users = make_users(0 if "renamed" in kind else None)
    if "file and" in kind:
        return word, [os.open("/dev/null", os.O_RDONLY), users]
    if "folder and" in kind:
        return word, [os.open("/", os.O_PATH), users]
    safe = 1 | 2 | 4  # read-only, nosuid, nodev
    mount = make_mount(safe & ~1 if "writable" in kind else safe, 0 if "attached" in kind else 1)
    return word, {
        "mount": [mount],
        "mount and file": [mount, os.open("/dev/null", os.O_RDONLY)],
        "mount and mounts": [mount, os.open("/proc/self/ns/mnt", os.O_RDONLY)],
        "mount and users of the host": [mount, host],
        "users and mount": [users, mount],
        "mount and users and more": [mount, users, host],
    }.get(kind, [mount, users])


def listen():
    answer = sys.argv[4]
    become()
    here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    here.bind(name)
    if len(sys.argv) > 5:
        lock(os.open(sys.argv[5], os.O_RDWR), HOLDER, HOLDER_MARK)
    word, given = handed(answer) if answer[:1].isupper() else ("", [])
    here.listen(64)
    print("listening", flush=True)
    while True:
        peer, _ = here.accept()
        try:
            if answer == "garbage":
                peer.sendmsg([os.urandom(200)])
            elif answer == "empty":
                peer.sendmsg([b""])
            elif word:
                rights = array.array("i", given)
                peer.sendmsg([LETTERS.get(word, word.lower()).encode()], [(1, 1, rights)] if given else [])
            if answer != "nothing":
                hear(peer)
        except ConnectionError:
            print("heard 0 0", flush=True)
        peer.close()


def hear(peer):
    """All that the start says until it ends, or becomes the app."""
    if sys.argv[4] not in ("silence", "ear"):
        peer.shutdown(socket.SHUT_WR)
    size = count = 0
    while True:
        data, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(64))
        size, count = size + len(data), count + sum(len(d) // 4 for _, _, d in control)
        if not data and not control:
            break
    print(f"heard {size} {count}", flush=True)


if what == "ask":
    print(ask())
else:
    listen()
