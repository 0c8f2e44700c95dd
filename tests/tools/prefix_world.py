"""Made-up Wine prefixes for the tests of `ws2 prefix`, and what a prefix holds, to compare and to make again."""

import json
import os
import platform
import shutil
import stat
import sys
import tempfile
import unittest
from dataclasses import asdict
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import paths, prefix_record_text  # noqa: E402

SYSTEM32 = "drive_c/windows/system32/ws2_32.dll"
SYSWOW64 = "drive_c/windows/syswow64/ws2_32.dll"
NTKE = "drive_c/windows/system32/ntke.dll"
UNIX = "drive_c/windows/system32/ntke_unix.dll"
UNIX32 = "drive_c/windows/syswow64/ntke_unix.dll"
USER_REG = (b"WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\User\\\\S-1-5-21-0-0-0-1000\n\n"
            b"#arch=win64\n\n[Control Panel\\\\Colors] 1795475654\n#time=1dd7ba05b55a284\n\"A\"=\"0 0 0\"\n\n"
            b"[Software\\\\Wine\\\\DllOverrides] 1795475654\n#time=1dd7ba05b5a0a5e\n%s\n"
            b"[Software\\\\Wine\\\\Fonts] 1795475654\n\"Caf\xe9\"=\"ws2_32\"\n")
PAST = 1_600_000_000_123_456_789  # when every file of a made-up prefix was written
NOW = 1_700_000_000_000_000_000  # stands for every other time


def scratch_folder() -> str:
    """In memory where that can be had: the tests write and sync tens of thousands of files."""
    memory = "/dev/shm"
    return tempfile.mkdtemp(prefix="ws2-test-", dir=memory if os.access(memory, os.W_OK | os.X_OK) else None)


def make_prefix(folder: Path, overrides: bytes = b"") -> Path:
    for name, data in ((SYSTEM32, b"Wine's, 64-bit"), (SYSWOW64, b"Wine's, 32-bit"),
                       ("drive_c/windows/syswow64/kernel32.dll", b"k"),
                       ("system.reg", b"WINE REGISTRY Version 2\n\n#arch=win64\n"),
                       ("user.reg", USER_REG % overrides)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        os.utime(folder / name, ns=(PAST, PAST))
    return folder


def make_link(path: Path, target) -> None:
    """A link in the place of whatever is there, as old as the rest."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    os.utime(path, ns=(PAST, PAST), follow_symlinks=False)


def kinds_to_plant(outside: Path):
    """What somebody may have put in the place of a file: its name, and how to make it. Links lead into `outside`,
    which has a file `secret` and a folder `folder`."""
    yield "a link to a file", lambda path: make_link(path, outside / "secret")
    yield "a link to a folder", lambda path: make_link(path, outside / "folder")
    yield "a link to nothing", lambda path: make_link(path, outside / "new")
    yield "a folder", os.mkdir
    yield "a FIFO", os.mkfifo
    yield "a file", lambda path: path.write_bytes(b"the user's own\n")


def make_build(folder: Path, name: str, repeat: int = 1) -> Path:
    """What `ws2 build` leaves, as far as `ws2 prefix` looks at it."""
    for arch in paths.ARCHES:
        (folder / arch).mkdir(parents=True)
        (folder / arch / "ws2_32.dll").write_bytes(f"{name} for {arch}".encode() * repeat)
        for half in paths.NTKE_FILES[arch]:
            place = folder / arch / "ntke" / half
            place.parent.mkdir(parents=True)
            place.write_bytes(f"{name} {half}".encode() * repeat)
    return folder


def earlier_record(folder: Path) -> dict:
    """What a version that wrote JSON would have recorded of this install."""
    record = prefix_record_text.read((folder / ".ws2_32/installed").read_bytes())
    return {"format": 4, **asdict(record)}


def make_earlier(folder: Path, record: dict) -> None:
    """Puts such a record in the place of ours."""
    place = folder / ".ws2_32/manifest.json"
    place.write_text(json.dumps(record, indent=1))
    os.utime(place, ns=(PAST, PAST))
    (folder / ".ws2_32/installed").unlink()


class WorldCase(unittest.TestCase):
    """With a scratch folder, gone with the case, on a machine for ntke, with a build of ours."""

    def setUp(self):
        self.scratch = Path(scratch_folder())
        self.addCleanup(shutil.rmtree, self.scratch)
        self.use_build(make_build(self.scratch / "dist", "ours", 1000))
        self.patch(platform, "machine", lambda: "x86_64")

    def patch(self, where, name: str, value) -> None:
        patch = mock.patch.object(where, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def use_build(self, folder: Path) -> None:
        self.patch(paths, "DIST", folder)


def tree_of(folder: Path) -> tuple:
    """All a folder holds, as one value: for each file its name, kind, content, mode, time and which names
    are of the same file. Times of folders are left out: they change with what is in them, and are nobody's."""
    found, numbers = [], {}
    _look(os.fspath(folder), "", found, numbers)
    return tuple(found)


def _look(path: str, name: str, found: list, numbers: dict) -> None:
    with os.scandir(f"{path}/{name}") as entries:
        names = sorted((entry.name for entry in entries))
    for last in names:
        below = f"{name}/{last}" if name else last
        full = f"{path}/{below}"
        info = os.lstat(full)
        kind, mode = _KINDS.get(stat.S_IFMT(info.st_mode), "other"), stat.S_IMODE(info.st_mode)
        content = os.readlink(full) if kind == "link" else _content(full) if kind == "file" else None
        time = None if kind == "folder" else PAST if info.st_mtime_ns == PAST else NOW
        shared = info.st_nlink > 1 and kind != "folder"
        same = numbers.setdefault(info.st_ino, len(numbers)) if shared else None
        found.append((below, kind, content, mode, time, (info.st_uid, info.st_gid), same))
        if kind == "folder":
            _look(path, below, found, numbers)


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


def _content(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, 1 << 20)
    finally:
        os.close(handle)


def make_tree(folder: Path, tree: tuple, now: tuple = ()) -> None:
    """Makes a folder hold just what tree_of() saw; it holds `now`, or is to be made."""
    if not now:
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
    kept = set(now) & set(tree)
    for entry in reversed(now):
        if entry not in kept:
            (os.rmdir if entry[1] == "folder" else os.unlink)(f"{folder}/{entry[0]}")
    first = {entry[6]: f"{folder}/{entry[0]}" for entry in kept}
    for entry in tree:
        if entry not in kept:
            _make(f"{folder}/{entry[0]}", entry, first)


def _make(path: str, entry: tuple, first: dict) -> None:
    _, kind, content, mode, time, owner, same = entry
    if same is not None and same in first:
        os.link(first[same], path, follow_symlinks=False)
        return
    first[same] = path
    if kind == "folder":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(content, path)
    else:
        with open(path, "wb") as file:
            file.write(content)
    if owner != (os.geteuid(), os.getegid()):
        os.chown(path, *owner, follow_symlinks=False)
    if kind != "link":
        os.chmod(path, mode)
    if time:
        os.utime(path, ns=(time, time), follow_symlinks=False)
