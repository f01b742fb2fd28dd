"""Stops and ends a command from a terminal, as a shell with job control sees it.

    job-control.py FILE ARG...: prints "stopped" or what came instead, then how the command ended.
"""

import os
import pty
import signal
import sys
import time

result, told = os.pipe()
leader, terminal = pty.fork()
if leader == 0:
    # The shell: its session is the terminal's, and the command a process group in front of it.
    command = os.fork()
    if command == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.close(told)
        os.execv(sys.argv[1], sys.argv[1:])
    while True:
        _, status = os.waitpid(command, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.write(told, b"stopped\n")
            time.sleep(0.2)
            os.killpg(command, signal.SIGCONT)
            continue
        if os.WIFSIGNALED(status):
            os.write(told, b"signal %d\n" % os.WTERMSIG(status))
        else:
            os.write(told, b"status %d\n" % os.WEXITSTATUS(status))
        os._exit(0)


def read_until(word: bytes) -> None:
    seen = b""
    while word not in seen:
        seen += os.read(terminal, 1024)


signal.alarm(100)
os.close(told)
read_until(b"ready")
os.write(terminal, b"\x1a")  # ^Z
print(os.read(result, 64).decode(), end="")
time.sleep(0.5)
os.write(terminal, b"again\n")
read_until(b"<again>")
os.write(terminal, b"\x03")  # ^C
print(os.read(result, 64).decode(), end="")
