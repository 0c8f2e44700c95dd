"""What `ws2 prefix` puts where: the DLLs of a prefix, ntke, and the values of its registry."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .prefix_files import Folder
from .prefix_open import OpenPrefix
from .ui import Failure

STATE = ".ws2_32"  # the one folder of ours in a prefix
SAVED = STATE + "/saved"  # what was replaced
LIB = STATE + "/lib"  # both halves of ntke, for WINEDLLPATH
KEPT = STATE + "-kept"  # what was replaced by files that the user changed later
NEW_SUFFIX = ".ws2_32-new"  # of what is going to replace a file, beside it

SYSTEM_REG = "system.reg"
USER_REG = "user.reg"
_SYSTEM32 = "drive_c/windows/system32"
_SYSWOW64 = "drive_c/windows/syswow64"
# Of each folder of DLLs, what its DLLs are called: ours, the module that Wine has to find before it looks for
# the pair, and ntke.so as a module.
_DLL, _NTKE_DLL, _NTKE_UNIX = "ws2_32.dll", "ntke.dll", paths.NTKE_UNIX

# Every file of the user's that is ever replaced, and its name in SAVED. Nothing else is, whatever a record
# in the prefix says.
REPLACED = {
    f"{_SYSTEM32}/{_DLL}": "0-ws2_32.dll",
    f"{_SYSWOW64}/{_DLL}": "1-ws2_32.dll",
    f"{_SYSTEM32}/{_NTKE_DLL}": "2-ntke.dll",
    f"{_SYSTEM32}/{_NTKE_UNIX}": "3-ntke_unix.dll",
    f"{_SYSWOW64}/{_NTKE_UNIX}": "4-ntke_unix.dll",
    USER_REG: "user.reg",
}

# Both halves of ntke in a prefix: their names there, with those in paths.ntke(). Earlier versions needed them,
# and had none for 32-bit programs.
NTKE_PAIR = {f"{LIB}/{name}": name for name in paths.NTKE_FILES["x86_64"]}

# What is set in user.reg: key and name of each value (as the file spells them), and the value.
DLL_OVERRIDES = rb"Software\\Wine\\DllOverrides"
REGISTRY = [
    (DLL_OVERRIDES, b"ws2_32", b"native,builtin"),
]


@dataclass(frozen=True)
class Target:
    """One DLL of ours and its place in a prefix, where another one may be now."""
    arch: str
    name: str  # relative to the prefix
    source: Path


def check(prefix: OpenPrefix) -> None:
    """Refuses what is no Wine prefix. A link counts, wherever it leads: what an install keeps may be one."""
    for name in (SYSTEM_REG, USER_REG):
        if prefix.root.info(name) is None:
            raise Failure(f"{prefix.path} is no Wine prefix: it has no {name}")
    if prefix.folder(_SYSTEM32) is None:
        raise Failure(f"{prefix.path} is no Wine prefix: it has no {_SYSTEM32}")


def folders(prefix: OpenPrefix) -> dict[str, str]:
    """The architectures of this prefix, with the folder of the DLLs of each."""
    if _is_32_bit(prefix.root):
        return {"i386": _SYSTEM32}
    syswow64 = prefix.folder(_SYSWOW64)
    return {"x86_64": _SYSTEM32,
            **({"i386": _SYSWOW64} if syswow64 and syswow64.info("kernel32.dll") else {})}


def targets(prefix: OpenPrefix) -> list[Target]:
    """Our DLLs of this prefix: one per architecture it has."""
    return [Target(arch, f"{folder}/{_DLL}", paths.dll(arch)) for arch, folder in folders(prefix).items()]


def ntke_targets(prefix: OpenPrefix) -> list[Target]:
    """ntke.so as a module beside each of our DLLs; and what Wine has to find before it looks for the pair."""
    where = folders(prefix)
    pair = [Target(arch, f"{where[arch]}/{_NTKE_DLL}", paths.ntke_halves(arch)[0])
            for arch in where if arch == "x86_64"]
    return pair + [Target(arch, f"{folder}/{_NTKE_UNIX}", paths.ntke_so(arch)) for arch, folder in where.items()]


def ntke_pair(prefix: OpenPrefix) -> list[Target]:
    """The halves of ntke that WINEDLLPATH names."""
    return [Target("x86_64", name, paths.ntke("x86_64") / source) for name, source in NTKE_PAIR.items()
            if "x86_64" in folders(prefix)]


def can_have_ntke() -> bool:
    """ntke is for a 64-bit Linux."""
    return platform.machine() == "x86_64"


def _is_32_bit(root: Folder) -> bool:
    text, _ = root.read_linked(SYSTEM_REG)
    arch = re.search(rb"^#arch=(\w+)", text[:4096], re.MULTILINE)
    return bool(arch) and arch[1] == b"win32"
