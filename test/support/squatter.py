"""Stands at the rendezvous of a bundle in place of a keeper, or talks to one.

squatter.py UID listen NAME ANSWER   binds the abstract socket, prints a line, answers each start
squatter.py UID ask NAME DIRECTORY   shows DIRECTORY to the keeper, prints how many descriptors came

ANSWER: nothing (closes), silence, garbage (bytes alone), files (three descriptors of files)
"""
import array, os, socket, sys

uid, what, name, how = int(sys.argv[1]), sys.argv[2], "\0" + sys.argv[3], sys.argv[4]
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
here = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(peer, data, files):
    rights = array.array("i", [os.open(file, os.O_RDONLY) for file in files])
    peer.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if files else [])


if what == "ask":
    here.connect(name)
    here.settimeout(10)
    try:
        send(here, b"\0", [how])
        _, control, _, _ = here.recvmsg(16, socket.CMSG_SPACE(16))
        print(sum(len(data) // 4 for _, _, data in control))
    except (ConnectionError, socket.timeout):
        print(0)
    sys.exit()

here.bind(name)
here.listen(64)
print("listening", flush=True)
kept = []
while True:
    peer, _ = here.accept()
    try:
        if how == "garbage":
            send(peer, os.urandom(200), [])
        elif how == "files":
            send(peer, b"f", ["/etc/passwd", "/", "/dev/null"])
        elif how == "silence":
            kept.append(peer)
    except ConnectionError:
        pass
    if how != "silence":
        peer.close()
