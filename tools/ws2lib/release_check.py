"""The side `release` of `ws2 test`: what a user does with the archive, in a prefix of Wine's own."""

import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from . import paths, release
from .prefix_facts import UNIX, USER, give_away
from .report import Report
from .ui import run_quietly
from .wine import Prefix, Wine, copy_prefix, kernel_and_module, proof_of_library, template

LIMIT = 600  # seconds; only there to end a hang


def run(report: Report, wine: Wine) -> None:
    """Unpacks the archive into an empty folder, installs it into a fresh prefix, runs programs there, and takes it
    out again, all as an ordinary user if we can be one."""
    source = template(wine)  # which the owner of the cache makes, where it is not there yet
    if os.geteuid() == 0:
        wine.user = USER
    # The cache may be in a folder of root's own, and where we work may have blanks and umlauts in its name.
    holder = Path(tempfile.mkdtemp(prefix="ws2 Veröffentlichung "))
    prefix = Prefix(wine, holder / "prefix")
    try:
        holder.chmod(0o755)
        copy_prefix(source, prefix.folder)
        prefix.settings["HOME"] = str(holder / "home")
        prefix.settings["LC_ALL"] = "C.UTF-8"
        (holder / "home").mkdir()
        if wine.user:
            give_away(prefix.folder, wine.user)
            os.chown(holder / "home", wine.user, wine.user)
        _run(report, prefix, holder / "home")
    finally:
        prefix.stop()
        wine.user = None
        shutil.rmtree(holder, ignore_errors=True)


def _run(report: Report, prefix: Prefix, home: Path) -> None:
    archives = [release.pack(home / name) for name in ("one", "other")]
    _tell(report, "packed twice", archives[0].read_bytes() == archives[1].read_bytes(), "differs")
    # Here, since a root made for a Wine has no xz.
    run_quietly([*Wine.command(prefix.wine, ["tar"], home), "-C", home, "-xf", archives[0]], timeout=LIMIT)
    setup = home / release.name() / "setup.sh"
    before = _seen(prefix.folder)
    _as_user(prefix, [setup, "install", prefix.folder])
    prefix.serve()
    for arch in prefix.wine.arches():
        outcome = prefix.run(setup.parent / release.probe(arch), timeout=LIMIT, cwd=home)
        good = outcome.exit_code == 0 and proof_of_library(outcome.output, True) \
            and kernel_and_module(outcome.output) == ("ntke", UNIX)
        _tell(report, f"a program for {arch}", good, f"the probe ended with {outcome.exit_code}",
              outcome.output.splitlines()[-12:])
    refused = _setup(prefix, [setup, "remove", prefix.folder])
    _tell(report, "remove while programs run", refused.returncode == 1 and "programs are running" in refused.stdout,
          "is not refused", refused.stdout.splitlines())
    prefix.stop()
    told = _setup(prefix, [setup, "status", prefix.folder]).stdout
    for what in ("a program", "a 32-bit program")[:len(prefix.wine.arches())]:
        _tell(report, f"status of {what}", f"{what} gets C:\\windows\\system32\\WS2_32.dll, {paths.PRODUCT}, "
              f"{release.version()}, kernel ntke" in told, "tells something else", told.splitlines())
    _as_user(prefix, [setup, "remove", prefix.folder])
    after = _seen(prefix.folder)
    # What Wine itself writes when programs run in it is no work of ours.
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    ours = sorted(name for name in changed if "ws2_32" in name or "ntke" in name or name == "user.reg"
                  and b"ws2_32" in (prefix.folder / name).read_bytes())
    _tell(report, "the prefix after remove", not ours, "differs", ours)
    _undisturbed(report, prefix, setup)


def _undisturbed(report: Report, prefix: Prefix, setup: Path) -> None:
    """Where no program ran meanwhile, nothing at all differs."""
    before = _seen(prefix.folder)
    for verb in ("install", "remove"):
        _as_user(prefix, [setup, verb, prefix.folder])
    after = _seen(prefix.folder)
    _tell(report, "the prefix after install and remove", after == before, "differs",
          sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _tell(report: Report, name: str, good: bool, why: str, details: list[str] | None = None) -> None:
    if good:
        report.ok()
    else:
        report.fail(name, why, details or [])


def _words(prefix: Prefix, words: list) -> list[str]:
    """On the system of that Wine, with its shell and commands."""
    return prefix.wine.command(list(map(str, words)), prefix.folder.parent)


def _setup(prefix: Prefix, words: list) -> subprocess.CompletedProcess:
    return subprocess.run(_words(prefix, words), check=False, env=prefix.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT)


def _as_user(prefix: Prefix, words: list) -> None:
    run_quietly(_words(prefix, words), env=prefix.environment(), timeout=LIMIT)


def _seen(folder: Path) -> dict:
    """Every file: kind, content, mode, modification time."""
    seen = {}
    for path in folder.rglob("*"):
        info = path.lstat()
        name = str(path.relative_to(folder))
        if stat.S_ISLNK(info.st_mode):
            seen[name] = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            content = hashlib.sha256(path.read_bytes()).digest()
            seen[name] = (content, stat.S_IMODE(info.st_mode), info.st_mtime_ns)
    return seen
