"""The side `demo` of `ws2 test`: the demo on both kernels, and how our DLL chooses between them when
a part of ntke is missing or of another build."""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from . import paths
from .report import Report
from .ui import run_quietly
from .wine import Prefix, Wine, fresh_prefix, proof_of_kernel

LIMIT = 600  # seconds; only there to end a hang

# Halves of another version: they refuse to be opened, or say so themselves.
OTHER_SO = """
static int refuse(void *args) { (void)args; return (int)0xC0000059; }
int (*const __wine_unix_call_funcs[])(void *) = { refuse };
"""
OTHER_DLL = """
static struct { unsigned version; unsigned long long table; void *dispatcher; } info = { 0x7fffffff };
__declspec(dllexport) void *ntke_interface(void) { return &info; }
"""


def run(report: Report) -> None:
    wine = Wine()
    for kernel in ("ntke", "host"):
        with fresh_prefix(wine, kernel) as prefix:
            _echo(report, prefix, kernel)
            if kernel == "ntke":
                _choice(report, prefix)


def _echo(report: Report, prefix: Prefix, kernel: str) -> None:
    outcome = prefix.run(paths.DIST / "x86_64" / "demo" / "event_echo.exe", timeout=LIMIT, ours=True)
    if outcome.exit_code == 0 and re.search(r"^  result +ok$", outcome.output, re.MULTILINE):
        report.ok()
    else:
        report.fail(f"event_echo on {kernel}", "hangs" if outcome.exit_code is None else
                    f"exit code {outcome.exit_code}", outcome.output.splitlines()[-12:])


def _choice(report: Report, prefix: Prefix) -> None:
    """Each case is a tree with both halves that is then spoilt; nothing but the kernel may change."""
    with tempfile.TemporaryDirectory(prefix="ws2-ntke-") as scratch:
        _expect(report, prefix, "both halves", "ntke")
        _expect(report, prefix, "WS2_32_KERNEL=host", "host", WS2_32_KERNEL="host")
        _expect(report, prefix, "no WINEDLLPATH", "host", WINEDLLPATH="")
        for name in paths.NTKE_FILES:
            tree = _tree(Path(scratch))
            (tree / name).unlink()
            _expect(report, prefix, f"no {name}", "host", WINEDLLPATH=str(tree))
        tree = _tree(Path(scratch))
        _compile("cc", OTHER_SO, tree / paths.NTKE_FILES[1])
        _expect(report, prefix, "ntke.so of another version", "host", WINEDLLPATH=str(tree))
        with _replaced(prefix.folder / "drive_c/windows/system32/ntke.dll") as copy:
            _expect(report, prefix, "no copy of ntke.dll beside the DLL", "host")
            _compile(f"{paths.ARCHES['x86_64']}-gcc", OTHER_DLL, copy)
            _expect(report, prefix, "ntke.dll of another version", "host", WINEDLLPATH="")
            copy.write_bytes(b"no program at all")
            _expect(report, prefix, "a broken ntke.dll", "host", WINEDLLPATH="")
        _expect(report, prefix, "both halves again", "ntke")


def _expect(report: Report, prefix: Prefix, name: str, kernel: str, **env: str) -> None:
    """The probe runs on that kernel, says once why, and Wine has nothing to complain about."""
    outcome = prefix.run(paths.probe("x86_64"), timeout=LIMIT, ours=True,
                         env={"WINEDEBUG": "err+all,+ws2kernel", **env})
    lines = outcome.output.splitlines()
    traces = [line for line in lines if ":ws2kernel:" in line]
    why = None
    if outcome.exit_code != 0:
        why = f"the probe ended with {outcome.exit_code}"
    elif (found := proof_of_kernel(outcome.output)) != kernel:
        why = f"runs on {found}"
    elif len(traces) != 1 or f" {kernel} kernel: " not in traces[0]:
        why = "does not say once that it runs on " + kernel
    elif any("ntke" in line for line in lines if ":err:" in line):
        why = "Wine complains"
    if why:
        report.fail(f"kernel with {name}", why, lines[-12:])
    else:
        report.ok()


def _tree(scratch: Path) -> Path:
    """A copy of the built pair, to be spoilt."""
    tree = Path(tempfile.mkdtemp(dir=scratch))
    for name in paths.NTKE_FILES:
        (tree / name).parent.mkdir()
        shutil.copy(paths.ntke() / name, tree / name)
    return tree


def _compile(compiler: str, source: str, output: Path) -> None:
    output.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        run_quietly([compiler, "-shared", "-fPIC", "-o", output, file.name])


@contextlib.contextmanager
def _replaced(path: Path):
    """Takes a file away for a while."""
    away = path.with_name(path.name + ".away")
    os.rename(path, away)
    try:
        yield path
    finally:
        os.replace(away, path)
