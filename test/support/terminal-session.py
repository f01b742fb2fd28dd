"""Runs a command in a terminal, and does what its lines on standard input say.

    terminal-session.py FILE ARG...
    wait TEXT    until the terminal shows it
    type TEXT    \\r and \\xNN are escapes
    size ROWS COLUMNS
    run COMMAND  a line of a shell, outside of the terminal

Prints what the terminal showed, then "status N" or "signal N", then whether its settings are what they were.
"""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

leader, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
before = termios.tcgetattr(terminal)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(terminal, descriptor)
    os.close(leader)
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
for line in sys.stdin:
    what, _, text = line.rstrip("\n").partition(" ")
    if what == "wait":
        while text.encode() not in seen:
            seen += os.read(leader, 4096)
    elif what == "type":
        os.write(leader, text.encode().decode("unicode_escape").encode("latin1"))
    elif what == "run":
        subprocess.run(text, shell=True, check=True)
    elif what == "size":
        rows, columns = map(int, text.split())
        fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
_, status = os.waitpid(child, 0)
os.set_blocking(leader, False)
try:
    while part := os.read(leader, 4096):
        seen += part
except BlockingIOError:
    pass
sys.stdout.buffer.write(seen)
how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
same = termios.tcgetattr(terminal) == before
print(f"\n{how}\n{'same' if same else 'changed'}")
