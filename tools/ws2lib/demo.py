"""The side `demo` of `ws2 test`: the demo on both kernels, and how our DLL chooses between them, and
between the ways to ntke, when a part of ntke is missing or of another build."""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from . import paths
from .report import Report
from .ui import run_quietly
from .wine import Prefix, Wine, WineWithin, fresh_prefix, kernel_and_module

LIMIT = 600  # seconds; only there to end a hang

ARCH = "x86_64"

# The ways to ntke, by the modules that lead there.
PAIR, UNIX = Path(paths.NTKE_FILES[ARCH][0]).name, paths.NTKE_UNIX

# Parts of another version: they refuse to be opened, or say so themselves.
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
    """Each case is an installed prefix, or a tree with a pair, that is then spoilt; nothing but the way to
    ntke, and at last the kernel, may change."""
    with tempfile.TemporaryDirectory(prefix="ws2-ntke-") as scratch:
        _expect(report, prefix, "an installed prefix", UNIX)
        _expect(report, prefix, "WS2_32_KERNEL=host", None, WS2_32_KERNEL="host")
        _expect(report, prefix, "a pair", PAIR, WINEDLLPATH=str(_tree(Path(scratch))))
        _spoilt_pairs(report, prefix, Path(scratch))
        with _replaced(prefix.folder / "drive_c/windows/system32" / UNIX) as copy:
            _expect(report, prefix, "only a pair", PAIR, WINEDLLPATH=str(_tree(Path(scratch))))
            _expect(report, prefix, "no pair, and no module", None)
            _spoilt_pairs(report, prefix, Path(scratch), otherwise=None)
            _compile_so(OTHER_SO, copy)
            _expect(report, prefix, "a module of another version", None)
            copy.write_bytes(paths.ntke_so(ARCH).read_bytes()[:20000])
            _expect(report, prefix, "half a module", None)
            copy.write_bytes(b"no program at all")
            _expect(report, prefix, "a broken module", None)
            _expect(report, prefix, "a pair, and a broken module", PAIR, WINEDLLPATH=str(_tree(Path(scratch))))
        _expect(report, prefix, "an installed prefix again", UNIX)
        _noexec(report, prefix)


def _spoilt_pairs(report: Report, prefix: Prefix, scratch: Path, otherwise: str | None = UNIX) -> None:
    """`otherwise` is the way that is left."""
    for name in paths.NTKE_FILES[ARCH]:
        tree = _tree(scratch)
        (tree / name).unlink()
        _expect(report, prefix, f"no {name}", otherwise, WINEDLLPATH=str(tree))
    tree = _tree(scratch)
    _compile_so(OTHER_SO, tree / paths.NTKE_FILES[ARCH][1])
    _expect(report, prefix, "an ntke.so of another version", otherwise, WINEDLLPATH=str(tree))
    tree = _tree(scratch)
    _compile(f"{paths.ARCHES['x86_64']}-gcc", OTHER_DLL, tree / paths.NTKE_FILES[ARCH][0])
    run_quietly([_winebuild(), "--builtin", tree / paths.NTKE_FILES[ARCH][0]])
    _expect(report, prefix, "an ntke.dll of another version", otherwise, WINEDLLPATH=str(tree))
    tree = _tree(scratch)
    with _replaced(prefix.folder / "drive_c/windows/system32" / PAIR) as copy:
        _expect(report, prefix, "no copy of ntke.dll beside the DLL", otherwise, WINEDLLPATH=str(tree))
        copy.write_bytes(b"no program at all")
        _expect(report, prefix, "a broken ntke.dll", otherwise, WINEDLLPATH=str(tree))


def _noexec(report: Report, prefix: Prefix) -> None:
    """On a disk that no program may be run from, Linux maps no ntke.so."""
    name = "a prefix on a disk without programs"
    if os.geteuid() != 0:
        report.skip(name, "needs root, to mount one")
        return
    around = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc", ON_NOEXEC, "sh",
              str(prefix.folder)]
    _expect(report, Prefix(WineWithin(prefix.wine, around), prefix.folder), name, None)


# Runs a command where a folder is on a file system that is mounted noexec.
ON_NOEXEC = r"""
folder=$1; shift
mount --bind "$folder" "$folder"
mount -o remount,bind,noexec "$folder"
exec "$@"
"""


def _expect(report: Report, prefix: Prefix, name: str, way: str | None, **env: str) -> None:
    """The probe runs on ntke, reached by the module `way` (None: on the host's kernel), says once why, and
    Wine has nothing to complain about."""
    outcome = prefix.run(paths.probe("x86_64"), timeout=LIMIT, ours=True,
                         env={"WINEDEBUG": "err+all,+ws2kernel", **env})
    lines = outcome.output.splitlines()
    traces = [line for line in lines if ":ws2kernel:" in line]
    kernel = "ntke" if way else "host"
    why = None
    if outcome.exit_code != 0:
        why = f"the probe ended with {outcome.exit_code}"
    elif _way(outcome.output) != way:
        why = f"runs on {kernel_and_module(outcome.output)}"
    elif len(traces) != 1 or f" {kernel} kernel: " not in traces[0]:
        why = "does not say once that it runs on " + kernel
    elif any("ntke" in line for line in lines if ":err:" in line):
        why = "Wine complains"
    if why:
        report.fail(f"kernel with {name}", why, lines[-12:])
    else:
        report.ok()


def _way(output: str) -> str | None:
    module = kernel_and_module(output)[1]
    return module and module.rpartition("\\")[2].lower()


def _tree(scratch: Path) -> Path:
    """A copy of the built pair, to be spoilt."""
    tree = Path(tempfile.mkdtemp(dir=scratch))
    for name in paths.NTKE_FILES[ARCH]:
        (tree / name).parent.mkdir()
        shutil.copy(paths.ntke(ARCH) / name, tree / name)
    return tree


def _compile_so(source: str, output: Path) -> None:
    """With the PE header that makes a module of it, as ours."""
    with tempfile.NamedTemporaryFile(suffix=".o") as header:
        run_quietly([_winebuild(), "--dll", "-m64", "-fPIC", "-F", UNIX, "--entry", "__wine_spec_dll_entry", "-E",
                     paths.ROOT / "dlls/ntke/unix/ntke.spec", "-o", header.name])
        _compile("cc", source, output, header.name, "-Wl,--defsym,__wine_spec_dll_entry=0")


def _winebuild() -> str:
    return shutil.which("winebuild") or "winebuild-stable"


def _compile(compiler: str, source: str, output: Path, *more: str) -> None:
    output.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        run_quietly([compiler, "-shared", "-fPIC", "-o", output, file.name, *more])


@contextlib.contextmanager
def _replaced(path: Path):
    """Takes a file away for a while."""
    away = path.with_name(path.name + ".away")
    os.rename(path, away)
    try:
        yield path
    finally:
        os.replace(away, path)
