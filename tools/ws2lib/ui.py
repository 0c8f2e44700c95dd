"""How the command talks: silence while all is well and short, one line per long step, and an error
that says what to do. Everything goes to standard error; standard output belongs to the programs run
and to results."""

import contextlib
import errno
import fcntl
import os
import re
import subprocess
import sys
import time
from pathlib import Path


class Failure(Exception):
    """Ends the command with this message and exit code 1. No traceback: it is the user's to mend."""


_ADVICE = {errno.ENOSPC: "make room on that disk", errno.EDQUOT: "make room, or have your quota raised",
           errno.EROFS: "that disk is mounted read-only: mount it writable", errno.EACCES: "it is not yours to change",
           errno.EPERM: "it is not yours to change"}


def advice(error: OSError) -> str:
    """What a user can do about an error that is no fault of ours, in brackets; else nothing."""
    return f" ({_ADVICE[error.errno]})" if error.errno in _ADVICE else ""


def say(text: str) -> None:
    print(f"ws2: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str):
    """Announces a step that takes more than a moment, and how long it took."""
    start = time.monotonic()
    say(f"{title} ...")
    yield
    say(f"{title}: done in {time.monotonic() - start:.0f} s")


def run_quietly(command, *, cwd=None, env=None, log: Path | None = None, timeout=None) -> str:
    """Runs a command whose output only matters when it fails, and returns that output. Nothing is
    read from our standard input. With `log` the output is kept there as well."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, cwd=cwd, env=env, timeout=timeout, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                              check=False)
    except FileNotFoundError as error:
        raise Failure(f"{command[0]} is not there: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f"`{' '.join(command)}` did not end within {timeout} s") from error
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if not re.match(r"\[\d+/\d+\] ", line)]
        tail = "\n".join(lines[-60:])
        raise Failure(f"`{' '.join(command)}` failed with exit code {done.returncode}:\n{tail}")
    return done.stdout


@contextlib.contextmanager
def exclusive(path: Path, what: str):
    """Holds a lock file, so that two commands do not make the same thing at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another ws2 that is busy with {what}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
