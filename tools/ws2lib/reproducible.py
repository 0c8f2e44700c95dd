"""One tree gives the same bytes, whenever and wherever it is built. Results are kept for what was built,
so `ws2 report` would have to run everything again if they did not."""

import os
import shutil
from pathlib import Path

from . import build, paths
from .report import Report
from .ui import run_quietly

# Small things that show what a linker, a stripper and an assembler put in by themselves.
SMALL = {"x86_64": ["dlls/ntke/pe/ntke.dll", "tools/demo/probe.exe"], "i386": ["dlls/ntke/pe/ntke.dll", "tools/demo/probe.exe"]}


def copy_tree(folder: Path) -> None:
    """The sources, without what was built of them."""
    shutil.copytree(paths.ROOT, folder, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))


def build_small(folder: Path, arch: str) -> dict[str, Path]:
    """Builds a little of the tree in `folder` from nothing: target -> file."""
    place = folder / "build" / arch
    arguments, _ = build.setup_arguments(arch)
    run_quietly(["meson", "setup", place, *arguments], cwd=folder, env=_environment())
    run_quietly(["ninja", "-C", place, *SMALL[arch]], env=_environment())
    return {target: place / target for target in SMALL[arch]}


def check_all(report: Report, folder: Path) -> None:
    """Builds the tree again in `folder`, all that is shipped, and compares it with build/dist. Takes as
    long as a build from nothing: no compiler cache may help, for it would give what was made here."""
    copy_tree(folder)
    arches = [word for arch in paths.ARCHES for word in ("--only", arch)]
    run_quietly([folder / "tools" / "ws2", "build", *arches], cwd=folder, env=_environment())
    again = folder / paths.DIST.relative_to(paths.ROOT)
    names = sorted({str(path.relative_to(dist)) for dist in (paths.DIST, again)
                    for path in dist.rglob("*") if path.is_file()})
    for name in names:
        one, other = paths.DIST / name, again / name
        if not (one.is_file() and other.is_file()):
            report.fail(name, "is not in both builds")
        elif one.read_bytes() != other.read_bytes():
            report.fail(name, "differs when it is built again in another folder")
        else:
            report.ok()


def _environment() -> dict[str, str]:
    return dict(os.environ, CCACHE_DISABLE="1")
