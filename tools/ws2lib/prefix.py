"""`ws2 prefix`: adds our DLL to an existing Wine prefix, and takes it out again, losing nothing.

What is replaced is kept in PREFIX/.ws2_32, as hard links where the file system has them, so that it comes
back as the very same file; beside it lies the record of what was done and how far it has come
(prefix_record). Whatever verb comes next after one that was killed completes or undoes that one first.

  prefix_layout    what goes where
  prefix_record    the record, and the states it can be in
  prefix_install   staging and replacing
  prefix_undo      taking out, and going on after an interruption
  prefix_open      the prefix, opened and locked
  prefix_files     the calls to the file system, safe in a prefix of somebody else's
  prefix_server    whether the prefix is in use
  prefix_ask       what a program of the prefix gets
"""

import contextlib
import io
import os
import pwd
from dataclasses import replace
from pathlib import Path

from . import (paths, pe, prefix_ask, prefix_install, prefix_layout as layout, prefix_record as records,
               prefix_undo, registry)
from .prefix_open import OpenPrefix
from .prefix_record import Record
from .prefix_server import named, refuse_if_in_use, wineserver_of
from .ui import Failure, advice, say

HELP = """\
Adds our ws2_32.dll to a Wine prefix you already have, and takes it out again. Wine programs of that
prefix must not be running meanwhile. What is replaced is kept in the prefix and comes back with
`remove`, byte for byte. When either is killed, the next one completes or undoes what it had begun.

With it comes ntke, which does the work inside the program's process instead of Wine's server.
Whoever starts a program of the prefix has nothing to set for it. `status` runs a program there, to
tell which DLL and which kernel programs get.

examples:
  ws2 prefix install ~/.wine    add the DLL (64-bit, and 32-bit where the prefix has it) and switch it on
  ws2 prefix status ~/.wine     is it there, which version, is it switched on, what does a program get
  ws2 prefix remove ~/.wine     as if it had never been there
"""


def add_arguments(parser) -> None:
    parser.add_argument("action", choices=["install", "remove", "status"])
    parser.add_argument("folder", metavar="DIR", type=Path, help="the prefix")


def main(args) -> int:
    folder = args.folder.expanduser().absolute()
    if args.action == "install":
        from . import build  # pylint: disable=import-outside-toplevel
        build.build(*arches(folder), tests=False, quick=True)
        for line in install(folder):
            say(line)
        say(f"our ws2_32.dll is in {folder}; `ws2 prefix remove {args.folder}` takes it out")
        return 0
    if args.action == "remove":
        for line in remove(folder):
            say(line)
        return 0
    installed, lines = status(folder)
    if installed:
        lines += ["  " + prefix_ask.answer(folder, arch) for arch in arches(folder)]
    for line in lines:
        print(line)
    return 0 if installed else 1


def check_prefix(folder: Path) -> None:
    """Refuses what is no Wine prefix."""
    with _opened(folder, "look into it") as prefix:
        layout.check(prefix)


def arches(folder: Path) -> list[str]:
    """The architectures our DLL is needed for; refuses what is no Wine prefix."""
    with _opened(folder, "look into it") as prefix:
        layout.check(prefix)
        return [target.arch for target in layout.targets(prefix)]


def has_ntke(folder: Path) -> bool:
    with _opened(folder, "look into it") as prefix:
        prefix.lock(to_change=False)
        installed = records.read_all(prefix).installed
        return installed is not None and _ntke_arches(prefix, installed) is not None


@contextlib.contextmanager
def _opened(folder: Path, verb: str):
    """An OpenPrefix. Errors are told with what they leave behind."""
    with OpenPrefix(folder) as prefix:
        try:
            yield prefix
        except (Failure, OSError) as error:
            what = f"cannot {verb}: {error}{advice(error)}" if isinstance(error, OSError) else str(error)
            left = "What is left is safe, and the next `ws2 prefix install` or `remove` goes on from there" \
                if prefix.changes else "Nothing was changed"
            raise Failure(f"{what}. {left}") from error


def _refuse_if_not_ours(prefix: OpenPrefix) -> None:
    """Wine as well runs in no prefix of another user's."""
    if os.geteuid() in (0, prefix.owner.st_uid):
        return
    try:
        owner = pwd.getpwuid(prefix.owner.st_uid).pw_name
    except KeyError:
        owner = f"with the number {prefix.owner.st_uid}"
    raise Failure(f"{prefix.path} belongs to the user {owner}: run this as that user")


def _noexec(folder: Path) -> list[str]:
    """What there is to tell of a disk from which Linux maps no code."""
    system32 = folder / "drive_c/windows/system32"
    if not os.statvfs(system32).f_flag & os.ST_NOEXEC:
        return []
    return [f"  {system32} is on a disk that is mounted noexec: programs run on Wine's server. Mount it with "
            "exec, or move the prefix, to have ntke"]


# --- The verbs

def install(folder: Path, ntke: bool = True, only: list[str] | None = None) -> list[str]:
    """Puts the built DLLs and the override into a prefix; without `ntke` only our DLL, and with `only` nothing
    for the programs of other architectures. Returns what there is to tell; raises Failure with the prefix
    unchanged."""
    with _opened(folder, "install") as prefix:
        layout.check(prefix)
        wanted = layout.targets(prefix)
        pair = []
        if ntke and layout.can_have_ntke():
            wanted += layout.ntke_targets(prefix)
            pair = layout.ntke_pair(prefix)
        wanted = [target for target in wanted if only is None or target.arch in only]
        _demand_built(wanted + pair)
        _refuse_if_not_ours(prefix)
        prefix.lock()
        refuse_if_in_use(folder)
        told = _recover(prefix, records.read_all(prefix))
        old = records.read_all(prefix).installed
        plan = prefix_install.make_plan(prefix, wanted, pair, old)
        if old and not plan.new and plan.record == replace(old, keeping=[], new={}):
            return [*told, "it was installed already; nothing to do"]
        prefix_install.carry_out(prefix, plan, fresh=old is None)
        return told + _noexec(folder)


def remove(folder: Path) -> list[str]:
    """Takes everything out again and returns what there is to tell. Completes or undoes whatever an
    interrupted install or remove has left."""
    with _opened(folder, "remove") as prefix:
        layout.check(prefix)
        _refuse_if_not_ours(prefix)
        prefix.lock()
        found = records.read_all(prefix)
        began = prefix.folder(layout.STATE) is not None
        if found.any():
            refuse_if_in_use(folder)
        told = _recover(prefix, found)
        if found.installed:
            return told + prefix_undo.remove(prefix, found.installed)
        if found.removing:
            return told
        return ["an install that had been interrupted has left no trace now" if began
                else f"our DLL is not in {folder}; nothing to do"]


def status(folder: Path) -> tuple[bool, list[str]]:
    """Whether our DLL is installed and whole, and the lines that tell. Not of what another verb is just
    doing: half of that looks like damage."""
    with _opened(folder, "tell the status") as prefix:
        layout.check(prefix)
        prefix.lock(to_change=False)
        found = records.read_all(prefix)
        lines = _interrupted(found)
        if found.installed is None:
            return False, [f"{folder}: our ws2_32.dll is not installed", *lines]
        whole = [_file_status(prefix, found.installed, lines), _ntke_status(prefix, found.installed, lines),
                 _override_status(prefix, lines)]
    lines += _noexec(folder)
    server = wineserver_of(folder)
    if server is not None:
        lines.append(f"  in use by wineserver, {named(server)}")
    return all(whole), [f"{folder}: our ws2_32.dll is installed", *lines]


def _recover(prefix: OpenPrefix, found: records.Records) -> list[str]:
    records.renew(prefix)
    return prefix_undo.recover(prefix, found)


def _demand_built(wanted: list[layout.Target]) -> None:
    for target in wanted:
        if not target.source.is_file():
            raise Failure(f"{target.source} is not built: run `ws2 build`")


# --- What there is to tell

def _interrupted(found: records.Records) -> list[str]:
    if found.staging:
        return ["  an install was interrupted before it replaced anything; the next install or remove undoes it"]
    if found.removing:
        return ["  a remove was interrupted; the next install or remove completes it"]
    return []


def _file_status(prefix: OpenPrefix, record: Record, lines: list[str]) -> bool:
    """Adds what there is to tell of the DLLs; false when one is not ours."""
    whole = True
    for name, entry in record.files.items():
        if name == layout.USER_REG:
            continue
        current = prefix.identity(name)
        if current in entry.ours:
            folder, last = prefix.place(name)
            data = folder.read(last)
            version = pe.version_string_of(data, "FileVersion")
            lines.append(f"  {name}: ours, {pe.machine_of(io.BytesIO(data)) or 'Linux code'}"
                         + (f", version {version}" if version else ""))
        else:
            whole = False
            what = "is not replaced (an install was interrupted: install again, or remove)" \
                if current == entry.original else "was changed since, it is not ours"
            lines.append(f"  {name}: {what}")
    return whole


def _ntke_arches(prefix: OpenPrefix, record: Record) -> list[str] | None:
    """The programs that ntke is there for. None: it is not there at all."""
    found = [arch for arch, folder in layout.folders(prefix).items()
             if f"{folder}/{paths.NTKE_UNIX}" in record.files]
    return found if found or record.ntke else None


def _ntke_status(prefix: OpenPrefix, record: Record, lines: list[str]) -> bool:
    """Adds what there is to tell of ntke; false when something of it is broken."""
    arches_of_ntke = _ntke_arches(prefix, record)
    if arches_of_ntke is None:
        why = "install again to add it" if layout.can_have_ntke() else "it is for a 64-bit Linux"
        lines.append(f"  ntke: not there ({why}); programs run on Wine's server")
        return True
    lib = prefix.path / layout.LIB
    broken = [source for name, source in layout.NTKE_PAIR.items()
              if record.ntke and prefix.identity(name) != record.ntke.get(source)]
    if broken:
        lines.append(f"  ntke: {', '.join(broken)} in {lib} is not what was installed: install again, or remove")
        return False
    if not arches_of_ntke:
        lines.append(f"  ntke: an earlier one, for WINEDLLPATH={lib} only: install again")
    elif arches_of_ntke != list(layout.folders(prefix)):
        lines.append("  ntke: there, for 64-bit programs only: install again for the others")
    else:
        bits = " and ".join({"x86_64": "64-bit", "i386": "32-bit"}[arch] for arch in arches_of_ntke)
        lines.append(f"  ntke: there, for {bits} programs")
    return True


def _override_status(prefix: OpenPrefix, lines: list[str]) -> bool:
    """Adds whether our DLL is switched on."""
    data, _ = prefix.root.read_linked(layout.USER_REG)
    value = registry.get(data, layout.DLL_OVERRIDES, b"ws2_32")
    on = value is not None and value.startswith(b"native")
    lines.append(f"  override ws2_32: {value.decode('latin-1') if value else 'none'}"
                 + ("" if on else " (so Wine uses its own)"))
    return on
