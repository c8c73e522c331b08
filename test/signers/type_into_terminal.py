"""Runs a program on a terminal of its own, types answers when it asks, prints everything the terminal showed, and exits as it did.

Arguments: a JSON list of [text to wait for, text to type], then the program.
"""

import json
import os
import pty
import sys

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
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
