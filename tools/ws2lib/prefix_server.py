"""Whether programs of a prefix are running."""

import contextlib
import fcntl
import os
import re
import struct
from pathlib import Path

from .prefix_open import OpenPrefix
from .ui import Failure


def wineserver_of(folder: Path) -> int | None:
    """The process id of the wineserver that runs this prefix, if there is one; 0 when it is none of this
    container, where it has no number. Wine names a server's
    folder after the prefix's device and inode; the server holds a lock there, and works there."""
    info = os.stat(folder)
    name = f"server-{info.st_dev:x}-{info.st_ino:x}"
    for lock in _lock_files(folder, name):
        with contextlib.suppress(OSError):
            if (pid := _holder(lock)) is not None:
                return pid
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(process / "cwd")).removesuffix(" (deleted)") == name:
                return int(process.name)
    return None


def refuse_if_in_use(folder: Path) -> None:
    server = wineserver_of(folder)
    if server is not None:
        raise Failure(f"programs are running in {folder} (wineserver is {named(server)}). End them, or "
                      f"`WINEPREFIX={folder} wineserver -k`, and try again")


def named(server: int) -> str:
    return f"process {server}" if server else "a process outside of this container"


def _holder(lock: Path) -> int | None:
    """The process that holds a lock file. What is no file must not make us wait."""
    handle = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(handle, fcntl.F_GETLK, request))
        return pid if kind != fcntl.F_UNLCK else None
    finally:
        os.close(handle)


def _lock_files(folder: Path, name: str) -> list[Path]:
    places = [Path(f"/tmp/.wine-{uid}") for uid in {os.getuid(), os.stat(folder).st_uid}]
    with contextlib.suppress(OSError, Failure):  # Debian's Wine keeps a random name in the prefix
        with OpenPrefix(folder) as prefix:
            noted = prefix.root.read("wineserver").decode(errors="replace").strip("\0\n ")
        if re.fullmatch(r"[\w.-]+", noted):
            places.append(Path("/tmp") / noted)
    places.append(folder)
    return [place / name / "lock" for place in places]
