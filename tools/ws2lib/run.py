"""`ws2 run`: a Windows program on our DLL."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import build, matrix, paths, pe, prefix
from .ui import Failure, exclusive, say
from .wine import Prefix, Wine, copy_prefix, prefixes_folder, proof_of_kernel, proof_of_library, template

HELP = """\
Runs a Windows program under Wine on our ws2_32.dll, in a prefix of its own (never your ~/.wine unless
you name it). Without a program it runs the demo: an event-driven echo server in one thread and 32
clients that check every byte. What it tells about the DLL is asked of a program that has loaded it.
Wine's own messages are off unless WINEDEBUG is set.

examples:
  ws2 run                                 the demo
  ws2 run --kernel builtin                the demo on Wine's own DLL, to compare
  ws2 run --kernel host program.exe       our DLL without ntke, on Wine's server alone
  ws2 run program.exe --port 80           a program of yours
  ws2 run --prefix ~/.wine program.exe    in a prefix that has our DLL (`ws2 prefix install ~/.wine`)
  ws2 run --wine 10.0 program.exe         with the Wine of `ws2 matrix`
"""


def add_arguments(parser) -> None:
    parser.add_argument("--kernel", choices=["ntke", "host", "builtin"],
                        help="ntke: our DLL, which does the work in the program's process (default where "
                        "it can be had); host: our DLL on Wine's server; builtin: Wine's "
                        "own DLL")
    parser.add_argument("--prefix", type=Path, metavar="DIR", help="run in this prefix")
    parser.add_argument("--wine", metavar="VERSION", help=f"{matrix.VERSION}: the Wine of `ws2 matrix`")
    parser.add_argument("words", nargs="...", metavar="[--] PROGRAM [ARGS]", help="the demo if left out")


def main(args) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    wine = _wine(args.wine)
    program, arch = _program(words, wine)
    ours = args.kernel != "builtin"
    if not words or ours or args.prefix is None:
        build.build(*([arch] if arch == "x86_64" else ["x86_64", arch]), tests=False, quick=True)
    chosen = _prefix(wine, args.prefix, ours, arch)
    if arch not in prefix.arches(chosen.folder):
        raise Failure(f"{program} is a {'64' if arch == 'x86_64' else '32'}-bit program, and {chosen.folder} is a prefix "
                      "for others only: name another one, or leave --prefix out")
    kernel = args.kernel or _default_kernel(chosen)
    env = _environment(chosen, kernel)
    # A Wine without a 32-bit Linux half has no way to ntke for 32-bit programs.
    _prove(chosen, env, kernel, arch, program, is_meant=bool(args.kernel) or arch == "x86_64")
    done = subprocess.run(chosen.command(program, *words[1:], cwd=Path.cwd()), env=env, check=False)
    return done.returncode


def _default_kernel(chosen: Prefix) -> str:
    switched_off = os.environ.get("WS2_32_KERNEL", "").lower() == "host"
    return "ntke" if not switched_off and prefix.has_ntke(chosen.folder) else "host"


def _wine(version: str | None) -> Wine:
    if version is None:
        return Wine()
    if version != matrix.VERSION:
        raise Failure(f"there is no Wine {version} here: leave --wine out, or say --wine {matrix.VERSION}")
    reason = matrix.why_not()
    if reason:
        raise Failure(reason)
    return matrix.get()


def _program(words: list[str], wine: Wine) -> tuple[str, str]:
    """The program as Wine is to get it, and its architecture. A name that is no file of ours is left to
    Wine, which knows its own programs and Windows paths."""
    if not words:
        return str(paths.DIST / "x86_64" / "demo" / "event_echo.exe"), "x86_64"
    path = Path(words[0]).expanduser()
    if not path.is_file():
        return words[0], "x86_64"
    arch = pe.machine(path)
    if arch is None:
        if path.suffix.lower() in (".bat", ".cmd", ".msi", ".lnk"):
            return str(path.absolute()), "x86_64"
        raise Failure(f"{path} is no Windows program for x86")
    if arch not in wine.arches():
        raise Failure(f"{path} is a 32-bit program, and this Wine {wine.version} runs 64-bit ones only")
    return str(path.absolute()), arch


def _prefix(wine: Wine, folder: Path | None, ours: bool, arch: str) -> Prefix:
    if folder is None:
        return Prefix(wine, _private(wine, ours, arch))
    folder = folder.expanduser().absolute()
    if not folder.exists():
        _make(wine, folder)
        if ours:
            build.build(*prefix.arches(folder), tests=False, quick=True)
            prefix.install(folder)
    prefix.check_prefix(folder)
    if ours and not prefix.status(folder)[0]:
        raise Failure(f"our DLL is not in {folder}. `ws2 prefix install {folder}` puts it there, and "
                      "`ws2 prefix remove` takes it out again, losing nothing")
    return Prefix(wine, folder)


def _make(wine: Wine, folder: Path) -> None:
    """A new prefix of the user's, that shares nothing with others; whole, or not there."""
    partial = folder.with_name(folder.name + f".part-{os.getpid()}")
    try:
        copy_prefix(template(wine), partial, share=False)
        partial.rename(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, (OSError, shutil.Error)):
            raise Failure(f"cannot make the prefix {folder}: {error}") from error
        raise


def _private(wine: Wine, ours: bool, arch: str) -> Path:
    """The prefix that all runs share. While a program runs there it keeps the DLL it has."""
    private = prefixes_folder() / f"run-{wine.version}-{'ours' if ours else 'builtin'}"
    with exclusive(private.with_name(private.name + ".lock"), "the prefix of `ws2 run`"):
        if not private.is_dir():
            partial = private.with_name(private.name + f".part-{os.getpid()}")
            copy_prefix(template(wine), partial)
            partial.rename(private)
        if ours and prefix.wineserver_of(private) is None:
            needed = [each for each in prefix.arches(private) if each in ("x86_64", arch)]
            build.build(*needed, tests=False, quick=True)
            try:
                prefix.install(private, only=needed)
            except Failure:
                if prefix.wineserver_of(private) is None:  # else it is what another run has just started
                    raise
    return private


def _environment(chosen: Prefix, kernel: str) -> dict[str, str]:
    """The user's own environment, with what the choice needs."""
    env = dict(os.environ, WINEPREFIX=str(chosen.folder))
    env.setdefault("WINEDEBUG", "-all")
    overrides = env.get("WINEDLLOVERRIDES", "winemenubuilder.exe=")
    if kernel == "builtin":
        overrides += ";ws2_32=builtin"
    env["WINEDLLOVERRIDES"] = overrides
    if kernel == "host":
        env["WS2_32_KERNEL"] = "host"
    elif kernel == "ntke":
        env.pop("WS2_32_KERNEL", None)
    return env


def _prove(chosen: Prefix, env: dict[str, str], kernel: str, arch: str, program: str, is_meant: bool) -> None:
    """Loads the DLL in the same prefix and the same environment and says which one that was, and which
    kernel serves it; with `is_meant` that must be `kernel`."""
    probe = paths.probe(arch)
    if not probe.is_file():
        build.build(arch, tests=False, quick=True)
    # Neither recorded by `ws2 trace` nor tampered with.
    env = {name: value for name, value in env.items() if name not in ("WS2_32_TRACE", "WS2_32_FAULT")}
    done = subprocess.run(chosen.command(probe, cwd=Path.cwd()), env=env, check=False, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300)
    if not done.stdout.strip():
        raise Failure(f"Wine cannot load ws2_32.dll (exit code {done.returncode}):\n{done.stderr.strip()}")
    output = done.stdout.replace("\r", "")
    line = proof_of_library(output, kernel != "builtin")
    if kernel != "builtin":
        found = proof_of_kernel(output)
        if is_meant and found != kernel:
            raise Failure(f"our DLL runs on the kernel {found} there, and {kernel} was meant; "
                          f"`ws2 prefix status {chosen.folder}` tells what is installed")
        line += f", kernel {found}"
    say(f"Wine {chosen.wine.version}, " + line.removeprefix("# "))
    beside = Path(program).parent / "ws2_32.dll"
    if Path(program).is_absolute() and beside.is_file() and probe.parent != beside.parent:
        say(f"beware: {beside} lies beside the program and comes before the prefix's")
    sys.stdout.flush()
