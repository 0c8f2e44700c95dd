"""What a program of a prefix gets: asked of one that has loaded the DLL, started with plain `wine`.

The prefix stays as it is, and whatever runs in it is not disturbed: the program sees the prefix's drives,
and a copy of its registry, which a server of its own serves.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import paths
from .ui import Failure
from .wine import arches_here, kernel_and_module, library_of

LIMIT = 120  # seconds; only there to end a hang
# The program needs no services, and no Wine must bring a prefix up to its own version for a question.
_WITHOUT_BOOT = "wineboot.exe="


def answer(folder: Path, arch: str) -> str:
    """One line."""
    program = "a 32-bit program" if arch == "i386" else "a program"
    why = _why_not(folder, arch)
    if why:
        return f"what {program} gets was not asked: {why}"
    try:
        with _twin(folder) as twin:
            return f"{program} gets " + _told(_ask(twin, arch))
    except (Failure, OSError, subprocess.TimeoutExpired) as error:
        return f"what {program} gets could not be asked: {error}"


def _why_not(folder: Path, arch: str) -> str | None:
    if os.stat(folder).st_uid != os.geteuid():
        return "the prefix is somebody else's"  # whose programs are not to be run
    if not shutil.which("wine"):
        return "there is no `wine` here"
    if arch not in arches_here():
        return "the `wine` here runs none"
    if not paths.probe(arch).is_file():
        return f"{paths.probe(arch)} is not built"
    return None


@contextlib.contextmanager
def _twin(folder: Path):
    """A prefix with the drives of another one and a copy of its registry."""
    with tempfile.TemporaryDirectory(prefix="ws2-ask-", ignore_cleanup_errors=True) as scratch:
        twin = Path(scratch)
        (twin / "dosdevices").mkdir()
        for file in folder.glob("*.reg"):
            shutil.copy(file, twin)
        for drive in (folder / "dosdevices").iterdir():
            if drive.is_symlink():
                (twin / "dosdevices" / drive.name).symlink_to(drive.parent / os.readlink(drive))
        try:
            yield twin
        finally:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # else it ends by itself
                subprocess.run(["wineserver", "-k"], env=_environment(twin), check=False, timeout=LIMIT,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _environment(twin: Path) -> dict[str, str]:
    """The user's own, for there may be settings of ours in it."""
    overrides = os.environ.get("WINEDLLOVERRIDES")
    return dict(os.environ, WINEPREFIX=str(twin), WINEDEBUG="-all,+ws2kernel",
                WINEDLLOVERRIDES=f"{overrides};{_WITHOUT_BOOT}" if overrides else _WITHOUT_BOOT)


def _ask(twin: Path, arch: str) -> str:
    with tempfile.TemporaryFile() as output:  # a server keeps our end of a pipe open
        done = subprocess.run(["wine", str(paths.probe(arch))], cwd=paths.probe(arch).parent, check=False,
                              env=_environment(twin), timeout=LIMIT, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT)
        output.seek(0)
        text = output.read().decode(errors="replace").replace("\r\n", "\n")
    if done.returncode:
        raise Failure(f"the program ended with {done.returncode}: {text.strip()[-300:]}")
    return text


def _told(output: str) -> str:
    path, product, version = library_of(output)
    if product != paths.PRODUCT:
        return f"{path} of {product}"
    kernel, module = kernel_and_module(output)
    if module:
        return f"{path}, {version}, on the kernel ntke ({module})"
    why = re.search(r":ws2kernel:.* host kernel: (.*)$", output, re.MULTILINE)
    return f"{path}, {version}, on the kernel {kernel}" + (f" ({why[1]})" if why else "")
