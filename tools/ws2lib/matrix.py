"""`ws2 matrix`: other Wines than the machine's own, each in a root of its own in the cache folder, and
the conformance and stress suites in them."""

import functools
import os
import platform
import shutil
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

from . import debian, packages, paths, wine
from .ui import Failure, exclusive, run_quietly, say, step

HELP = """\
Makes a root with Wine 10.0 (from Debian 13) in the cache folder, once, and runs the conformance and
stress suites there, 64-bit and 32-bit. Where this machine's kernel runs no 32-bit programs, those run
emulated (QEMU's user mode). Needs root.

examples:
  ws2 matrix              make the root if it is not there, and run everything in it
  ws2 matrix --make-only  only make the root
"""

VERSION = "10.0"
# The release that has it, under its two names: on a mirror in the middle of an update one of them can
# disagree with its index files while the other is whole.
SUITES = ["trixie", "stable"]
CODENAME = "trixie"
PACKAGES = ["wine", "wine64", "wine32:i386", "netbase"]
EMULATION = ["qemu-user"]  # where the kernel runs no 32-bit programs
STAMP = ".ws2-complete"

SETUP = """
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ -f /etc/resolv.conf ] && cp -L /etc/resolv.conf "$root/etc/resolv.conf"
export DEBIAN_FRONTEND=noninteractive
options="-q -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io"
chroot "$root" dpkg --add-architecture i386
chroot "$root" apt-get -q update
chroot "$root" apt-get $options install "$@"
chroot "$root" apt-get clean
"""


def add_arguments(parser) -> None:
    parser.add_argument("--make-only", action="store_true", help="make the root and run nothing")


def main(args) -> int:
    reason = why_not()
    if reason:
        raise Failure(reason)
    ensure_root()
    if args.make_only:
        return 0
    from . import testing  # pylint: disable=import-outside-toplevel
    return testing.run_sides([side for side in testing.SIDES if f"-{VERSION}-" in side], long=False)


def folder() -> Path:
    return paths.cache() / "matrix" / f"wine-{VERSION}"


def exists() -> bool:
    """Is the root there, and complete for this machine?"""
    stamp = folder() / STAMP
    return stamp.is_file() and (runs_32bit() or set(EMULATION) <= set(stamp.read_text().split()))


def why_not() -> str | None:
    """Why there is no Wine 10.0 and none can be made here, or None."""
    if os.geteuid() != 0:
        return "Wine 10.0 runs in a root of its own, which only root can make and enter"
    if platform.machine() != "x86_64":
        return f"Wine 10.0 for x86_64 does not run on {platform.machine()}"
    if not exists() and not (shutil.which("apt-get") or shutil.which("debootstrap")):
        return "making a root with Wine 10.0 takes debootstrap, and this is not Debian"
    return None


def get() -> wine.RootWine:
    """Wine 10.0, made when it is not there yet."""
    ensure_root()
    return wine.RootWine(folder(), VERSION, emulates_32bit=not runs_32bit())


def get_new_wow64() -> wine.NewWow64Wine:
    """The same, as it is without the package of its 32-bit half."""
    ensure_root()
    return wine.NewWow64Wine(folder(), VERSION, emulates_32bit=False)


def ensure_root() -> None:
    """Makes the root unless it is complete. What an interrupted attempt has left is thrown away."""
    if exists():
        return
    packages.ensure("matrix")
    with exclusive(folder().with_suffix(".lock"), f"the root of Wine {VERSION}"):
        if exists():
            return
        problems = []
        for suite in SUITES:
            try:
                _make(suite)
                return
            except Failure as failure:
                problems.append(f"from {suite}: {failure}")
                say(f"no root from {suite}: {str(failure).splitlines()[-1]}")
        raise Failure(f"cannot make the root of Wine {VERSION}:\n" + "\n".join(problems))


def _make(suite: str) -> None:
    partial = folder().with_name(folder().name + ".part")
    _remove_root(partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    log = folder().with_name(folder().name + ".log")
    wanted = PACKAGES + ([] if runs_32bit() else EMULATION)
    with step(f"making a root with Wine {VERSION} in {folder()} (several minutes)"):
        run_quietly(["debootstrap", "--variant=minbase", suite, partial, debian.mirror()], log=log)
        release = (partial / "etc" / "os-release").read_text()
        if CODENAME not in release:
            raise Failure(f"{suite} is not {CODENAME}:\n{release}")
        policy = partial / "usr" / "sbin" / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # no service is started in there
        policy.chmod(0o755)
        run_quietly(["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc", SETUP, "sh",
                     partial, *wanted], log=log)
        if not (partial / "usr/lib/wine/wine64").is_file():
            raise Failure(f"{suite} has no wine64")
        (partial / STAMP).write_text("\n".join(wanted) + "\n")
        _remove_root(folder())  # one that lacks something this machine needs
        partial.rename(folder())


def _remove_root(root: Path) -> None:
    """Removes a half-made root. Mounts live in namespaces that are gone, but deleting through one
    would be a disaster, so this makes sure."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[1].startswith(f"{root}/"):
            raise Failure(f"{line.split()[1]} is still mounted; unmount it first")
    if root.exists():
        shutil.rmtree(root)


def _exit_0_program() -> bytes:
    """The smallest program for Linux on i386: one segment that holds the headers and exit(0)."""
    code = bytes.fromhex("b801000000 31db cd80")  # mov eax, 1; xor ebx, ebx; int 0x80
    base, headers = 0x08048000, 52 + 32
    size = headers + len(code)
    elf = struct.pack("<4sBBB9xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 2, 3, 1, base + headers, 52, 0, 0,
                      52, 32, 1, 0, 0, 0)
    return elf + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + code


@functools.cache
def runs_32bit() -> bool:
    """Whether this machine's kernel runs 32-bit programs: some run 64-bit code only."""
    with tempfile.NamedTemporaryFile(prefix="ws2-exit0-", delete=False) as file:
        file.write(_exit_0_program())
        program = file.name
    try:
        os.chmod(program, stat.S_IRWXU)
        return subprocess.run([program], check=False, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False
    finally:
        os.unlink(program)
