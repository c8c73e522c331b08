"""Runs a program on a terminal of its own, types answers when it asks, prints everything the terminal showed, and exits as it did.

Arguments: a JSON list of [text to wait for, text to type], then the program. The last line says whether the terminal echoes as before.
"""

import json
import os
import pty
import sys
import termios

steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
waiting_from = 0
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk
    while steps and steps[0][0].encode() in shown[waiting_from:]:
        waiting_from = shown.index(steps[0][0].encode(), waiting_from) + len(steps[0][0].encode())
        os.write(terminal, steps.pop(0)[1].encode())
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
echoes = [bool(flags & bit) for flags, bit in ((termios.tcgetattr(terminal)[3], bit) for bit in (termios.ECHO, termios.ICANON, termios.ISIG))]
sys.stdout.buffer.write(b"\nterminal " + (b"restored" if all(echoes) else b"BROKEN"))
sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(status))
