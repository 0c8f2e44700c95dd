"""cat that reads on while nobody takes what it writes: the SSH server waits in the middle of a write to
its command, and reads nothing meanwhile, so with a plain cat both could wait for each other for ever."""

import os
import queue
import threading

parts = queue.SimpleQueue()


def read() -> None:
    while part := os.read(0, 65536):
        parts.put(part)
    parts.put(b"")


threading.Thread(target=read).start()
while rest := parts.get():
    while rest:
        rest = rest[os.write(1, rest):]
