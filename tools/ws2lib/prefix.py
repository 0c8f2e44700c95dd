"""`ws2 prefix`: adds our DLL to an existing Wine prefix, and takes it out again, losing nothing.

What it replaces is kept in PREFIX/.ws2_32: the originals (as hard links where the file system has
them, so that even their times come back) and a manifest. The manifest is the point of no return:

  staging    new files lie beside their targets; nothing is changed; any failure just removes them
  manifest   renamed into place
  replacing  each new file is renamed over its target

An install that was interrupted before the manifest has changed nothing; after it, the next install
finishes the work and a remove undoes it, since both compare each file with what the manifest says of
it. Everything that needs disk space happens while staging.

A 64-bit prefix also gets ntke: its PE half beside our DLL, and both halves in PREFIX/.ws2_32/lib, which
the user names in WINEDLLPATH. That folder holds nothing of the user's, so it needs no manifest entry
but what it should hold.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import platform
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from . import paths, pe, registry
from .ui import Failure, say

HELP = """\
Adds our ws2_32.dll to a Wine prefix you already have, and takes it out again. Wine programs of that
prefix must not be running meanwhile. What is replaced is kept in the prefix and comes back with
`remove`, byte for byte.

With it comes ntke, which does the work of 64-bit programs inside the process instead of Wine's server.
Wine finds it only where WINEDLLPATH says so: `install` and `status` tell what to set. Without that the
DLL works too, on Wine's server.

examples:
  ws2 prefix install ~/.wine    add the DLL (64-bit, and 32-bit where the prefix has it) and switch it on
  ws2 prefix status ~/.wine     is it there, which version, is it switched on
  ws2 prefix remove ~/.wine     as if it had never been there
"""

STATE = ".ws2_32"
LIB = "lib"  # below STATE: both halves of ntke
VALUE = b"native,builtin"
NEW_SUFFIX = ".ws2_32-new"


def add_arguments(parser) -> None:
    parser.add_argument("action", choices=["install", "remove", "status"])
    parser.add_argument("folder", metavar="DIR", type=Path, help="the prefix")


def main(args) -> int:
    folder = args.folder.expanduser().absolute()
    if args.action == "install":
        check_prefix(folder)  # before a build that takes a while
        from . import build  # pylint: disable=import-outside-toplevel
        build.build(*[target.arch for target in targets(folder)])
        for line in install(folder):
            say(line)
        say(f"our ws2_32.dll is in {folder}; `ws2 prefix remove {args.folder}` takes it out")
        if ntke_path(folder):
            say(f"to run programs on ntke, set WINEDLLPATH={ntke_path(folder)}")
        return 0
    if args.action == "remove":
        for line in remove(folder):
            say(line)
        return 0
    installed, lines = status(folder)
    for line in lines:
        print(line)
    return 0 if installed else 1


@dataclass(frozen=True)
class Target:
    """One DLL of ours and its place in a prefix, where another one may be now."""
    arch: str
    name: str  # relative to the prefix
    source: Path


def check_prefix(folder: Path) -> None:
    """Refuses what is no Wine prefix."""
    for name in ("system.reg", "user.reg", "drive_c/windows/system32"):
        if not (folder / name).exists():
            raise Failure(f"{folder} is no Wine prefix: it has no {name}. Nothing was changed")


def targets(folder: Path) -> list[Target]:
    """The DLLs of this prefix: one per architecture it has."""
    with open(folder / "system.reg", "rb") as file:
        arch = re.search(rb"^#arch=(\w+)", file.read(4096), re.MULTILINE)
    windows = "drive_c/windows"
    if arch and arch[1] == b"win32":
        return [Target("i386", f"{windows}/system32/ws2_32.dll", paths.dll("i386"))]
    found = [Target("x86_64", f"{windows}/system32/ws2_32.dll", paths.dll("x86_64"))]
    if (folder / windows / "syswow64" / "kernel32.dll").exists():
        found.append(Target("i386", f"{windows}/syswow64/ws2_32.dll", paths.dll("i386")))
    return found


def ntke_target() -> Target:
    """The copy of ntke.dll that Wine has to find before it looks for the pair."""
    return Target("x86_64", "drive_c/windows/system32/ntke.dll", paths.ntke() / paths.NTKE_FILES[0])


def can_have_ntke(folder: Path) -> bool:
    """ntke is for 64-bit programs on a 64-bit Linux of the same kind."""
    return platform.machine() == "x86_64" and targets(folder)[0].arch == "x86_64"


def ntke_path(folder: Path) -> Path | None:
    """What WINEDLLPATH has to name for the programs of this prefix; None: it has no ntke."""
    manifest = _manifest(folder)
    return folder / STATE / LIB if manifest and manifest.get("ntke") else None


def install(folder: Path, ntke: bool = True) -> list[str]:
    """Puts the built DLLs and the override into a prefix; without `ntke` only our DLL. Returns what
    there is to tell; raises Failure with the prefix unchanged."""
    check_prefix(folder)
    wanted = targets(folder)
    pair = []
    if ntke and can_have_ntke(folder):
        wanted.append(ntke_target())
        pair = [paths.ntke() / name for name in paths.NTKE_FILES]
    for source in [target.source for target in wanted] + pair:
        if not source.is_file():
            raise Failure(f"{source} is not built: run `ws2 build`")
    with _locked(folder):
        refuse_if_in_use(folder)
        old = _manifest(folder)
        if old is None:
            shutil.rmtree(folder / STATE, ignore_errors=True)  # left by an install that never began
        return _install_over(folder, wanted, bool(pair), old)


def _install_over(folder: Path, wanted: list[Target], ntke: bool, old: dict | None) -> list[str]:
    manifest = old or {"files": {}, "registry": None}
    staged: dict[Path, Path] = {}  # new file -> its target
    state = folder / STATE
    try:
        (state / "saved").mkdir(parents=True, exist_ok=True)
        _give_to_owner(folder, state, state / "saved")
        for number, target in enumerate(wanted):
            _stage_file(folder, target, number, manifest, staged)
        if ntke:
            _stage_ntke(folder, manifest, staged)
        _stage_registry(folder, manifest, staged)
        if not staged:
            return ["it was installed already; nothing to do"]
        refuse_if_in_use(folder)
        _write_manifest(folder, manifest)
    except BaseException as error:
        for new in staged:
            new.unlink(missing_ok=True)
        if old is None:
            shutil.rmtree(state, ignore_errors=True)
        else:
            _remove_empty_folders(state / LIB)
        if isinstance(error, OSError):
            raise Failure(f"cannot install: {error}. Nothing was changed") from error
        raise
    try:
        for new, target_path in staged.items():
            os.replace(new, target_path)
            _sync_folder(target_path.parent)
    except OSError as error:
        for new in staged:
            new.unlink(missing_ok=True)
        if old is None:
            remove_files(folder)
        raise Failure(f"cannot install: {error}. What had been replaced is back") from error
    return []


def _stage_file(folder: Path, target: Target, number: int, manifest: dict, staged: dict) -> None:
    path = folder / target.name
    new_hash = _hash(target.source)
    entry = manifest["files"].get(target.name)
    current = _hash(path)
    if entry is None:
        saved = None
        if current is not None:
            saved = f"saved/{number}-{path.name}"
            _keep(path, folder / STATE / saved)
        entry = manifest["files"][target.name] = {"original": current, "saved": saved, "ours": []}
    elif current not in (entry["original"], *entry["ours"]):
        raise Failure(f"{path} was changed after our DLL had been installed; `ws2 prefix remove` first, "
                      "which leaves that file as it is. Nothing was changed")
    if new_hash not in entry["ours"]:
        entry["ours"].append(new_hash)
    if current != new_hash:
        staged[_new_beside(path, target.source.read_bytes(), folder)] = path


def _stage_ntke(folder: Path, manifest: dict, staged: dict) -> None:
    """The pair that WINEDLLPATH names. Nothing of the user's can be in its place."""
    manifest["ntke"] = {}
    for name in paths.NTKE_FILES:
        path, source = folder / STATE / LIB / name, paths.ntke() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _give_to_owner(folder, path.parent.parent, path.parent)
        manifest["ntke"][name] = _hash(source)
        if _hash(path) != _hash(source):
            staged[_new_beside(path, source.read_bytes(), folder)] = path


def _stage_registry(folder: Path, manifest: dict, staged: dict) -> None:
    path = folder / "user.reg"
    before = path.read_bytes()
    if registry.get(before, b"ws2_32") == VALUE:
        if manifest["registry"] is None:  # the user's own setting, and the same as ours
            manifest["registry"] = {"line": None, "mine": False}
        return
    after, line, section = registry.set_value(before, b"ws2_32", VALUE)
    record = manifest["registry"]
    if record is None or not record["mine"]:
        _keep(path, folder / STATE / "saved" / "user.reg")
        record = {"mine": True, "line": line and line.decode("latin-1"), "section_added": section,
                  "original": hashlib.sha256(before).hexdigest()}
        manifest["registry"] = record
    # The kept file may only come back whole if nothing but our value ever differed from it.
    unchanged = record["original"] == hashlib.sha256(before).hexdigest()
    record["written"] = hashlib.sha256(after).hexdigest() if unchanged else None
    staged[_new_beside(path, after, folder)] = path


def remove(folder: Path) -> list[str]:
    """Takes everything out again and returns what there is to tell. Finishes or undoes whatever an
    interrupted install or remove has left."""
    check_prefix(folder)
    with _locked(folder):
        if _manifest(folder) is None:
            left = (folder / STATE).exists()
            shutil.rmtree(folder / STATE, ignore_errors=True)
            _remove_staged(folder)
            return ["an install that had been interrupted has left no trace now" if left
                    else f"our DLL is not in {folder}; nothing to do"]
        refuse_if_in_use(folder)
        try:
            return remove_files(folder)
        except OSError as error:
            raise Failure(f"cannot remove: {error}. What is left is safe, and `ws2 prefix remove` "
                          "continues where it stopped") from error


def remove_files(folder: Path) -> list[str]:
    manifest = _manifest(folder)
    assert manifest is not None
    told = []
    kept = False
    for name, entry in manifest["files"].items():
        path = folder / name
        current = _hash(path)
        saved = entry["saved"] and folder / STATE / entry["saved"]
        if current == entry["original"] and not (saved and saved.exists()):
            continue  # already back
        if current is None or current in entry["ours"] or current == entry["original"]:
            if saved and saved.exists():
                _put_back(saved, path)
            elif entry["original"] is None and current is not None:
                path.unlink()
            continue
        told.append(f"{path} was changed after our DLL had been installed: it stays as it is")
        if saved and saved.exists():
            told.append(f"what it replaced is kept as {saved}")
            kept = True
    told += _restore_registry(folder, manifest["registry"])
    _remove_staged(folder)
    shutil.rmtree(folder / STATE / LIB, ignore_errors=True)
    if kept:
        (folder / STATE / "manifest.json").unlink()
        os.rename(folder / STATE, _free_name(folder / (STATE + "-kept")))
        told[-1] = told[-1].replace(f"/{STATE}/", f"/{STATE}-kept/")
    else:
        (folder / STATE / "manifest.json").unlink()  # the last thing that says "installed"
        shutil.rmtree(folder / STATE)
    _sync_folder(folder)
    return told


def _restore_registry(folder: Path, record: dict | None) -> list[str]:
    if not record or not record["mine"]:
        return []
    path = folder / "user.reg"
    saved = folder / STATE / "saved" / "user.reg"
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() == record["written"]:
        if saved.exists():
            _put_back(saved, path)
        return []
    if saved.exists() and data == saved.read_bytes():
        return []
    if registry.get(data, b"ws2_32") != VALUE:
        return [f"the override of ws2_32 in {path} was changed or taken away meanwhile: it stays as it is"]
    line = record["line"] and record["line"].encode("latin-1")
    restored = registry.restore(data, b"ws2_32", line, record["section_added"])
    os.replace(_new_beside(path, restored, folder), path)
    return []


def status(folder: Path) -> tuple[bool, list[str]]:
    """Whether our DLL is installed and whole, and the lines that tell."""
    check_prefix(folder)
    manifest = _manifest(folder)
    if manifest is None:
        return False, [f"{folder}: our ws2_32.dll is not installed"]
    whole = True
    lines = [f"{folder}: our ws2_32.dll is installed"]
    for name, entry in manifest["files"].items():
        path = folder / name
        current = _hash(path)
        if current in entry["ours"]:
            version = pe.version_string(path, "FileVersion")
            lines.append(f"  {name}: ours, {pe.machine(path)}" + (f", version {version}" if version else ""))
        else:
            whole = False
            what = "is not replaced yet (an install was interrupted: install again, or remove)" \
                if current == entry["original"] else "was changed since, it is not ours"
            lines.append(f"  {name}: {what}")
    whole = _ntke_status(folder, manifest, lines) and whole
    value = registry.get((folder / "user.reg").read_bytes(), b"ws2_32")
    on = value is not None and value.startswith(b"native")
    whole = whole and on
    lines.append(f"  override ws2_32: {value.decode('latin-1') if value else 'none'}"
                 + ("" if on else " (so Wine uses its own)"))
    server = wineserver_of(folder)
    if server:
        lines.append(f"  in use by wineserver, process {server}")
    return whole, lines


def _ntke_status(folder: Path, manifest: dict, lines: list[str]) -> bool:
    """Adds what there is to tell of ntke; false when something of it is broken."""
    pair = manifest.get("ntke")
    if not pair:
        why = "install again to add it" if can_have_ntke(folder) else "it is for 64-bit prefixes"
        lines.append(f"  ntke: not there ({why}); programs run on Wine's server")
        return True
    broken = [name for name, expected in pair.items() if _hash(folder / STATE / LIB / name) != expected]
    if broken:
        lines.append(f"  ntke: {', '.join(broken)} in {folder / STATE / LIB} is not what was installed: "
                     "install again, or remove")
        return False
    lines.append(f"  ntke: there; programs run on it where WINEDLLPATH={folder / STATE / LIB} is set")
    return True


# --- A prefix in use

def wineserver_of(folder: Path) -> int | None:
    """The process id of the wineserver that runs this prefix, if there is one. Wine names a server's
    folder after the prefix's device and inode; the server holds a lock there, and works there."""
    info = os.stat(folder)
    name = f"server-{info.st_dev:x}-{info.st_ino:x}"
    for lock in _lock_files(folder, name):
        with contextlib.suppress(OSError), open(lock, "rb") as file:
            request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, request)
            kind, _, _, _, pid = struct.unpack("hhqqi4x", answer)
            if kind != fcntl.F_UNLCK:
                return pid
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(process / "cwd")).removesuffix(" (deleted)") == name:
                return int(process.name)
    return None


def _lock_files(folder: Path, name: str) -> list[Path]:
    places = [Path(f"/tmp/.wine-{uid}") for uid in {os.getuid(), os.stat(folder).st_uid}]
    with contextlib.suppress(OSError):  # Debian's Wine keeps a random name in the prefix
        places.append(Path("/tmp") / (folder / "wineserver").read_text().strip("\0\n "))
    places.append(folder)
    return [place / name / "lock" for place in places]


def refuse_if_in_use(folder: Path) -> None:
    server = wineserver_of(folder)
    if server:
        raise Failure(f"programs are running in {folder} (wineserver is process {server}). End them, or "
                      f"`WINEPREFIX={folder} wineserver -k`, and try again. Nothing was changed")


# --- Files

@contextlib.contextmanager
def _locked(folder: Path):
    """One ws2 at a time per prefix, without leaving a file."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Failure(f"cannot open {folder}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _give_to_owner(folder: Path, *made: Path) -> None:
    """Root must not leave files in a user's prefix that the user cannot delete."""
    if os.geteuid() == 0:
        owner = os.stat(folder)
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _new_beside(path: Path, data: bytes, folder: Path) -> Path:
    """Writes what is going to replace `path` next to it, to the disk itself."""
    new = path.with_name(path.name + NEW_SUFFIX)
    try:
        with open(new, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        _give_to_owner(folder, new)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    return new


def _keep(path: Path, saved: Path) -> None:
    """Keeps the original: the very same file where a hard link can be made, else a copy."""
    saved.unlink(missing_ok=True)
    try:
        os.link(path, saved, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, saved, follow_symlinks=False)
        if not saved.is_symlink():
            with open(saved, "rb") as file:
                os.fsync(file.fileno())


def _put_back(saved: Path, path: Path) -> None:
    try:
        os.replace(saved, path)
    except OSError:  # another file system
        new = path.with_name(path.name + NEW_SUFFIX)
        shutil.copy2(saved, new, follow_symlinks=False)
        os.replace(new, path)
        saved.unlink()
    _sync_folder(path.parent)


def _remove_staged(folder: Path) -> None:
    for name in [target.name for target in [*targets(folder), ntke_target()]] + ["user.reg"]:
        (folder / (name + NEW_SUFFIX)).unlink(missing_ok=True)


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted([folder, *folder.rglob("*")], reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


def _manifest(folder: Path) -> dict | None:
    try:
        return json.loads((folder / STATE / "manifest.json").read_text())
    except FileNotFoundError:
        return None


def _write_manifest(folder: Path, manifest: dict) -> None:
    path = folder / STATE / "manifest.json"
    os.replace(_new_beside(path, json.dumps(manifest, indent=1).encode(), folder), path)
    _sync_folder(path.parent)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_name(path: Path) -> Path:
    number = 0
    candidate = path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.{number}")
    return candidate
