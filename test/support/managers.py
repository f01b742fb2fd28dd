"""Those that start programs and wait for more than the program: python3 managers.py KIND COMMAND...

Each prints what it saw in one line, behind what the command printed.
"""
import ctypes
import os
import pty
import signal
import subprocess
import sys
import time
import uuid

kind, command = sys.argv[1], sys.argv[2:]


def become_subreaper():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def since(start):
    """What is left behind stays for 100 seconds."""
    return "at once" if time.time() - start < 50 else "waited"


def init():
    """As tini, dumb-init and `docker run --init`: reaps whatever comes, until its own child has ended.

    What ends with the child, which the end of its input tells to, may be reaped before it.
    """
    start = time.time()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(child.stdout.readline(), end="", flush=True)
    time.sleep(0.3)  # In which others would have ended.
    others = 0
    while os.waitpid(-1, os.WNOHANG)[0] > 0:
        others += 1
    child.stdin.close()
    pid = 0
    while pid != child.pid:
        pid, status = os.wait()
    print(f"{others} others, status {os.waitstatus_to_exitcode(status)}, {since(start)}")


def make_cgroup():
    for hierarchy in ("unified", "pids", "freezer", "."):
        group = f"/sys/fs/cgroup/{hierarchy}/fuselage-test-{uuid.uuid4()}"
        try:
            os.mkdir(group)
            if os.path.exists(f"{group}/cgroup.procs"):
                return group
            os.rmdir(group)
        except OSError:
            pass
    sys.exit("no cgroup can be made")


def members(group):
    with open(f"{group}/cgroup.procs") as procs:
        return [int(line) for line in procs]


def end_all(group, number):
    for pid in members(group):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def enter(group):
    def join():
        with open(f"{group}/cgroup.procs", "w") as procs:
            procs.write("0")

    return join


def service(stops):
    """As systemd: a service has ended when its cgroup is empty; it is stopped by a signal to all in it."""
    os.environ["INVOCATION_ID"] = uuid.uuid4().hex
    group = make_cgroup()
    child = subprocess.Popen(command, preexec_fn=enter(group), stdout=subprocess.PIPE, text=True)
    print(child.stdout.readline(), end="", flush=True)
    start = time.time()
    if stops:
        end_all(group, signal.SIGTERM)
    print(child.stdout.read(), end="")
    status = child.wait()
    while members(group) and time.time() - start < 100:
        time.sleep(0.01)
    print(f"status {status}, {since(start)}")
    end_all(group, signal.SIGKILL)
    while members(group):
        time.sleep(0.01)
    os.rmdir(group)


def hang_up():
    """A terminal that goes away under the session that was started in it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    text = b""
    while b"up" not in text:
        text += os.read(terminal, 100)
    start = time.time()
    os.close(terminal)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    print(f"up, {since(start)}")


def pipes():
    """Reads standard output, standard error and a third pipe, until nobody can write to them any more."""
    start = time.time()
    read, write = os.pipe()
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdout=pipe, stderr=pipe, pass_fds=[write], text=True)
    os.close(write)
    out, err = child.communicate()
    with open(read) as rest:
        rest.read()
    print(f"{out.strip()}{err}, {since(start)}")


if kind.startswith("subreaper-"):
    kind = kind.removeprefix("subreaper-")
    become_subreaper()
{
    "init": init,
    "service": lambda: service(False),
    "stopped-service": lambda: service(True),
    "terminal": hang_up,
    "pipes": pipes,
}[kind]()
