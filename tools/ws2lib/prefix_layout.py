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
NTKE_DLL = _SYSTEM32 + "/ntke.dll"
NTKE_UNIX = f"{_SYSTEM32}/{paths.NTKE_UNIX}"

# Every file of the user's that is ever replaced, and its name in SAVED. Nothing else is, whatever a record
# in the prefix says.
REPLACED = {
    f"{_SYSTEM32}/ws2_32.dll": "0-ws2_32.dll",
    f"{_SYSWOW64}/ws2_32.dll": "1-ws2_32.dll",
    NTKE_DLL: "2-ntke.dll",
    NTKE_UNIX: "3-ntke_unix.dll",
    USER_REG: "user.reg",
}

# Both halves of ntke in a prefix: their names there, with those in paths.ntke().
NTKE_PAIR = {f"{LIB}/{name}": name for name in paths.NTKE_FILES}

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


def targets(prefix: OpenPrefix) -> list[Target]:
    """The DLLs of this prefix: one per architecture it has."""
    names = list(REPLACED)
    if _is_32_bit(prefix.root):
        return [Target("i386", names[0], paths.dll("i386"))]
    found = [Target("x86_64", names[0], paths.dll("x86_64"))]
    syswow64 = prefix.folder(_SYSWOW64)
    if syswow64 and syswow64.info("kernel32.dll"):
        found.append(Target("i386", names[1], paths.dll("i386")))
    return found


def ntke_targets() -> list[Target]:
    """The copy of ntke.dll that Wine has to find before it looks for the pair; and ntke.so as a module."""
    return [Target("x86_64", NTKE_DLL, paths.ntke() / paths.NTKE_FILES[0]),
            Target("x86_64", NTKE_UNIX, paths.ntke_so())]


def can_have_ntke(prefix: OpenPrefix) -> bool:
    """ntke is for 64-bit programs on a 64-bit Linux of the same kind."""
    return platform.machine() == "x86_64" and not _is_32_bit(prefix.root)


def _is_32_bit(root: Folder) -> bool:
    text, _ = root.read_linked(SYSTEM_REG)
    arch = re.search(rb"^#arch=(\w+)", text[:4096], re.MULTILINE)
    return bool(arch) and arch[1] == b"win32"
