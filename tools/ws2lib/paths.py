"""Where things are: the source tree, its build folders, and the cache outside the tree."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
DIST = BUILD / "dist"

# What ntke.so is called where it lies beside our DLL and no variable is needed.
NTKE_UNIX = "ntke_unix.dll"

# The names Meson and we use for the two Windows targets, with the compiler's name for them.
ARCHES = {"x86_64": "x86_64-w64-mingw32", "i386": "i686-w64-mingw32"}

# The two halves of ntke within an element of WINEDLLPATH.
NTKE_FILES = {arch: (f"{arch}-windows/ntke.dll", f"{arch}-unix/ntke.so") for arch in ARCHES}

PRODUCT = "ws2_32 for Wine (from scratch)"  # ProductName in our DLL's version resource
BUILTIN_PRODUCT = "Wine"


def cache() -> Path:
    """The folder for what is expensive to make and belongs to no build: prefixes, roots, downloads."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "ws2_32"


def dll(arch: str) -> Path:
    """Our DLL as `ws2 build` leaves it."""
    return DIST / arch / "ws2_32.dll"


def ntke(arch: str) -> Path:
    """Both halves of ntke as `ws2 build` leaves them: an element of WINEDLLPATH."""
    return DIST / arch / "ntke"


def ntke_halves(arch: str) -> list[Path]:
    return [ntke(arch) / name for name in NTKE_FILES[arch]]


def ntke_so(arch: str) -> Path:
    return ntke_halves(arch)[1]


def probe(arch: str) -> Path:
    """The program that tells which ws2_32.dll, and which kernel, a program gets."""
    return DIST / arch / "demo" / "probe.exe"


def test_program(arch: str, name: str) -> Path:
    """A Windows test program as `ws2 build` leaves it; `name` without `.exe`."""
    return DIST / arch / "tests" / f"{name}.exe"
