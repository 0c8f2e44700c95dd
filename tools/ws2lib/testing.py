"""`ws2 test`: builds everything and runs every suite. CI calls this."""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import (build, conformance, demo, lint, matrix, names_check, packages, paths, prefix_facts,
               release_check, reproducible, tap, test_plan, trace_check)
from .report import Report
from .ui import Failure, run_quietly, say
from .wine import NewWow64Wine, RootWine, Wine, fresh_prefix

HELP = """\
Builds everything and runs every test. A side is one thing that is tested:

  tools                    this command itself, above all `prefix install` and `remove`; formatting of the C++, and
                           that its headers compile alone
  lint                     both for the tests, too, clang-tidy, and what clangd makes of .clangd
  reproducible             that a build from nothing in another folder gives the same bytes
  native                   the kernel object emulation as Linux code, also under sanitizers
  ntke, host, builtin      the conformance suite with the machine's Wine: our DLL on ntke, our DLL on
                           Wine's server, Wine's own DLL
  names                    the conformance cases that need a name server, on each of the three
  nt                       the NT-level suite on the ntdll of the machine's Wine
  demo                     the demo of `ws2 run`, on both kernels, and how our DLL chooses between them
  prefix                   what programs, Wine's own among them, find in a prefix before and after our
                           DLL is installed, in each way to install it
  trace                    `ws2 trace`: recordings, what is found in them, faults, and the page in Chromium
  release                  the archive of `ws2 release`: unpacked, installed and taken out as an ordinary user
  stress-ntke              the stress programs on our DLL, bounded (longer with --long)
  clients-ntke             real programs on our DLL
  ntke-10.0-x86_64 ...     the same suites with Wine 10.0, where its root exists or can be made
  ntke-i386 ...            32-bit programs with the machine's Wine, where that runs them
  new-wow64-10.0-i386      conformance of 32-bit programs on ntke where Wine has no 32-bit Linux half;
                           stress-new-wow64-... and clients-new-wow64-... likewise

Sides in brackets in --list only run when they are named, or by `ws2 matrix`: they repeat on another
kernel or Wine what a side of the same suite does, or build everything again.

The last line is `N passed, N failed, N skipped`. Known gaps (tests/expected) count as skipped.

examples:
  ws2 test                                  all but those
  ws2 test --without-matrix                 and without those that need a root with Wine 10.0
  ws2 test --side host                      only our DLL's conformance
  ws2 test --side 'host*' --side native     several; patterns are allowed
  ws2 test --long                           with the long form of the stress programs
"""


def add_arguments(parser) -> None:
    parser.add_argument("--side", action="append", metavar="SIDE", help="only this side; may be repeated")
    parser.add_argument("--long", action="store_true", help="run the stress programs for long")
    parser.add_argument("--without-matrix", action="store_true",
                        help=f"leave out what needs a root with Wine {matrix.VERSION}")
    parser.add_argument("--list", action="store_true", help="print the sides and end")


def main(args) -> int:
    if args.list:
        print("\n".join(f"({side})" if side in ON_DEMAND else side for side in SIDES))
        return 0
    chosen = [] if args.side else [side for side in SIDES if side not in ON_DEMAND]
    for pattern in args.side or []:
        found = fnmatch.filter(SIDES, pattern)
        if not found:
            raise Failure(f"no side is called {pattern}; there are: {', '.join(SIDES)}")
        chosen += found
    if args.without_matrix:
        chosen = [side for side in chosen if not test_plan.needs_root_of_matrix([side])]
    return run_sides([side for side in SIDES if side in chosen], args.long)


def run_sides(sides: list[str], long: bool) -> int:
    builds = _needed_builds(sides)
    test_plan.announce(sides, builds)
    build.build(*builds, tests=sides != ["release"])
    report = Report()
    for number, side in enumerate(sides, 1):
        start = time.monotonic()
        report.begin(side, f"{number} of {len(sides)}" if len(sides) > 1 else "")
        try:
            SIDES[side](report, long)
        except Failure as failure:
            report.fail(side, str(failure))
        report.end()
        test_plan.remember(side, time.monotonic() - start)
    return report.close()


def _needed_builds(sides: list[str]) -> list[str]:
    names = []
    if any(side != "native" for side in sides):
        names.append("x86_64")
    # The prefixes of the matrix have both architectures, and both get our DLL.
    if any(matrix.VERSION in side or side.endswith("-i386")
           or side in ("tools", "reproducible", "prefix", "release") for side in sides):
        names.append("i386")
    if "native" in sides:
        names += list(build.NATIVE)
    elif "lint" in sides:
        names.append("native")
    return names


# --- The sides

def _tools(report: Report, _long: bool) -> None:
    if os.geteuid() == 0:  # else what takes it is skipped
        packages.ensure("format")
    folder = paths.ROOT / "tests" / "tools"
    # Each tries one file-system call after another, on one processor; first those that take longest.
    longest = ["test_prefix_killed", "test_format", "test_setup"]
    names = sorted((file.stem for file in folder.glob("test_*.py")), key=lambda name: (name not in longest, name))

    def run(name: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "unittest", "-v", name],
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=paths.ROOT,
                              env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(folder)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(run, names):
            count_unittest(report, done.stdout, done.returncode)


def count_unittest(report: Report, output: str, exit_code: int) -> None:
    """Reads what `python -m unittest -v` writes."""
    text = re.sub(r" \.\.\. \n", " ... ", output)
    ran = 0
    for match in re.finditer(r"^(\w+) \(([\w.]+)\)(?:\n[^\n]*?)? \.\.\. ?(.*)$", text, re.MULTILINE):
        ran += 1
        name, verdict = f"{match[2].split('.')[-2 if match[2].endswith(match[1]) else -1]}.{match[1]}", match[3]
        if verdict.endswith("ok"):
            report.ok()
        elif skipped := re.search(r"skipped '(.*)'", verdict):
            report.skip(name, skipped[1])
        else:
            report.fail(name, verdict.strip() or "no verdict", _details_of(text, match[1]))
    if exit_code and not re.search(r"^(?:ERROR|FAIL): \w+ ", text, re.MULTILINE):
        report.fail("unittest", f"exit code {exit_code}", output.splitlines()[-20:])
    if not ran:
        report.fail("unittest", "ran no test", output.splitlines()[-20:])


def _details_of(text: str, name: str) -> list[str]:
    found = re.search(rf"^(?:ERROR|FAIL): {name} .*?(?=^=====|^Ran |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[0].splitlines() if found else []


def _native(report: Report, _long: bool) -> None:
    for name in build.NATIVE:
        folder = paths.BUILD / name
        listing = run_quietly(["meson", "test", "-C", folder, "--list"])
        tests = [line for line in listing.splitlines() if " / " in line or " - " in line
                 or (line and not line.startswith("ninja"))]
        if not tests:
            report.skip(name, "there are no native suites yet")
            continue
        log = folder / "meson-logs" / "testlog.junit.xml"
        log.unlink(missing_ok=True)
        done = subprocess.run(["meson", "test", "-C", str(folder), "--no-rebuild", "-t", "10",
                               "--print-errorlogs"], check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        _count_junit(report, name, log, done)


def _count_junit(report: Report, build_name: str, log: Path, done) -> None:
    import xml.etree.ElementTree as ElementTree  # pylint: disable=import-outside-toplevel
    failures = 0
    if log.is_file():
        for case in ElementTree.parse(log).getroot().iter("testcase"):
            name = f"{build_name}: {case.get('classname')}.{case.get('name')}"
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            if bad is not None:
                failures += 1
                report.fail(name, bad.get("message") or "failed", done.stdout.splitlines()[-40:])
            elif case.find("skipped") is not None:
                report.skip(name, "skipped itself")
            else:
                report.ok()
    if done.returncode and not failures:
        report.fail(build_name, f"meson test ended with {done.returncode}", done.stdout.splitlines()[-40:])


def _conformance(dll: str):
    def run(report: Report, _long: bool) -> None:
        wine = Wine()
        if dll == "builtin" and not conformance.expected_files(wine.version, "x86_64", dll):
            report.skip("builtin", f"nobody has listed what Wine {wine.version}'s own DLL does differently")
            return
        conformance.run(report, wine, "x86_64", dll)
    return run


def _nt(report: Report, _long: bool) -> None:
    wine = Wine()
    if conformance.expected_files(wine.version, "x86_64", "nt"):
        conformance.run_nt(report, wine, "x86_64")
    else:
        report.skip("nt", f"nobody has listed what Wine {wine.version}'s ntdll does differently")


def _stress(dll: str):
    return lambda report, long: _run_stress(report, long, dll, Wine(), "x86_64")


# How many descriptors a stress program may have open, where that is what it is about.
DESCRIPTORS = {"stress_limit_storm": 64}


def _run_stress(report: Report, long: bool, dll: str, wine: Wine, arch: str) -> None:
    programs = sorted((paths.DIST / arch / "tests").glob("stress*.exe"))
    if not programs:
        report.skip("stress", "there are no stress programs yet")
    for program in programs:
        with fresh_prefix(wine, dll, arch=arch) as prefix:
            words = ["--expect-product", paths.PRODUCT, *(["--long"] if long else [])]
            outcome = prefix.run(program, *words, timeout=7200 if long else 900, ours=True,
                                 descriptors=DESCRIPTORS.get(program.stem))
            result = tap.parse(outcome.output)
            for case in result.cases:
                name = f"{program.stem}.{case.name}"
                if case.skipped is not None:
                    report.skip(name, case.skipped)
                elif case.ok:
                    report.ok()
                else:
                    report.fail(name, "failed", case.details)
            if outcome.exit_code is None:
                report.fail(program.stem, "hangs", outcome.output.splitlines()[-12:])
            elif not result.is_complete() or (outcome.exit_code and all(c.ok for c in result.cases)):
                report.fail(program.stem, f"ended early with exit code {outcome.exit_code}",
                            outcome.output.splitlines()[-12:])


def _reproducible(report: Report, _long: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        reproducible.check_all(report, Path(scratch) / "of" / "another-depth")


def _demo(report: Report, _long: bool) -> None:
    demo.run(report)


def _prefix(report: Report, _long: bool) -> None:
    wine = Wine()
    for arch in wine.arches():
        prefix_facts.run(report, wine, arch)


def _release(report: Report, _long: bool) -> None:
    release_check.run(report, Wine())


def _clients(dll: str):
    return lambda report, _long: _run_clients(report, dll, Wine())


# A program of one word that starts a Windows program with a Wine of the matrix.
MATRIX_WINE = f"""#!{sys.executable}
import os, sys
from pathlib import Path
sys.path.insert(0, {str(paths.ROOT / "tools")!r})
from ws2lib import matrix
command = matrix.GET().command(["wine", *sys.argv[1:]], Path.cwd())
os.execvp(command[0], command)
"""


def _run_clients(report: Report, dll: str, wine: Wine, arch: str = "x86_64") -> None:
    packages.ensure("clients")
    runner = paths.ROOT / "tests" / "clients" / "run.py"
    with fresh_prefix(wine, dll, arch=arch) as prefix:
        command = "wine"
        if isinstance(wine, RootWine):
            starter = prefix.folder.parent / "wine"
            get = "get_new_wow64" if isinstance(wine, NewWow64Wine) else "get"
            starter.write_text(MATRIX_WINE.replace("GET", get))
            starter.chmod(0o755)
            command = str(starter)
        try:
            done = subprocess.run(
                [sys.executable, str(runner), "--wine", command, "--prefix", str(prefix.folder), "--arch", arch,
                 "--expect-product", paths.PRODUCT], env=dict(prefix.environment(), PYTHONDONTWRITEBYTECODE="1"), check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", timeout=1800)
        except subprocess.TimeoutExpired as error:
            text = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else ""
            report.fail("clients", "hang", text.splitlines()[-20:])
            return
    result = tap.parse(done.stdout)
    for case in result.cases:
        if case.skipped is not None:
            report.skip(case.name, case.skipped)
        elif case.ok:
            report.ok()
        else:
            report.fail(case.name, "failed", case.details)
    if not result.is_complete() or (done.returncode and all(case.ok for case in result.cases)):
        report.fail("clients", f"ended early with exit code {done.returncode}", done.stdout.splitlines()[-20:])


def _own_i386(dll: str):
    """32-bit programs with the machine's own Wine, where that runs them."""
    def run(report: Report, long: bool) -> None:
        wine = Wine()
        if "i386" not in wine.arches():
            report.skip(f"{dll}-i386",
                        f"this Wine {wine.version} runs 64-bit programs only (on Debian, wine32 is missing)")
        else:
            _run_on(report, long, dll, wine, "i386")
    return run


def _lacks_matrix(report: Report, side: str) -> bool:
    """Is there no Wine 10.0, and none to be had? Then that is told."""
    reason = matrix.why_not()
    if not reason:
        try:
            matrix.ensure_root()
        except Failure as failure:
            reason = f"no root with Wine {matrix.VERSION}: {failure}"
    if reason:
        report.skip(side, reason)
    return bool(reason)


def _new_wow64(what: str):
    """32-bit programs on ntke, over 64-bit Linux code."""
    def run(report: Report, long: bool) -> None:
        if _lacks_matrix(report, f"{what} on new WoW64"):
            return
        wine = matrix.get_new_wow64()
        if what == "stress":
            _run_stress(report, long, "ntke", wine, "i386")
        elif what == "clients":
            _run_clients(report, "ntke", wine, "i386")
        else:
            with fresh_prefix(wine, "ntke", arch="i386") as prefix:
                gaps = conformance.Gaps(conformance.expected_files(wine.version, "i386", "ntke"))
                conformance.run_suite(report, prefix, conformance.suite_of("i386", "ntke"), gaps)
    return run


def _matrix(dll: str, arch: str):
    def run(report: Report, long: bool) -> None:
        side = f"{dll}-{matrix.VERSION}-{arch}"
        if _lacks_matrix(report, side):
            return
        wine = matrix.get()
        if arch == "i386" and wine.emulates_32bit:
            if dll not in ("host", "stress-host"):
                # What the emulator does to it would have to be told apart from what it does itself.
                report.skip(side, "the kernel runs no 32-bit programs; only our DLL on Wine's server is tried emulated")
                return
            say("32-bit programs run emulated here, since the kernel runs none: this takes longer")
        _run_on(report, long, dll, wine, arch)
    return run


def _run_on(report: Report, long: bool, what: str, wine: Wine, arch: str) -> None:
    """A side by its name without Wine and architecture: that of a DLL for its conformance, or another suite."""
    if what.startswith("stress-"):
        _run_stress(report, long, what.removeprefix("stress-"), wine, arch)
    elif what.startswith("clients-"):
        _run_clients(report, what.removeprefix("clients-"), wine, arch)
    elif what == "nt":
        conformance.run_nt(report, wine, arch)
    elif what == "prefix":
        prefix_facts.run(report, wine, arch)
    elif what == "release":
        release_check.run(report, wine)
    elif what == "trace":
        trace_check.run(report, wine)
    else:
        conformance.run(report, wine, arch, what)


SIDES = {
    "tools": _tools,
    "lint": lambda report, _long: lint.run(report),
    "reproducible": _reproducible,
    "native": _native,
    "ntke": _conformance("ntke"),
    "host": _conformance("host"),
    "builtin": _conformance("builtin"),
    "names": lambda report, _long: names_check.run(report, Wine(), "x86_64"),
    "nt": _nt,
    "demo": _demo,
    "trace": lambda report, _long: trace_check.run(report, Wine()),
    "prefix": _prefix,
    "release": _release,
    "stress-ntke": _stress("ntke"),
    "stress-host": _stress("host"),
    "clients-ntke": _clients("ntke"),
    "clients-host": _clients("host"),
    **{f"{dll}-i386": _own_i386(dll) for dll in ("ntke", "prefix", "stress-ntke", "clients-ntke")},
    **{f"{dll}-{matrix.VERSION}-x86_64": _matrix(dll, "x86_64")
       for dll in ("ntke", "host", "builtin", "nt", "prefix", "release", "trace", "stress-ntke", "stress-host",
                   "clients-ntke", "clients-host")},
    **{f"{dll}-{matrix.VERSION}-i386": _matrix(dll, "i386")
       for dll in ("ntke", "host", "builtin", "prefix", "stress-ntke", "stress-host", "clients-ntke")},
    f"new-wow64-{matrix.VERSION}-i386": _new_wow64("conformance"),
    **{f"{what}-new-wow64-{matrix.VERSION}-i386": _new_wow64(what) for what in ("stress", "clients")},
}
# What a plain `ws2 test` leaves out, so that it ends within some 35 minutes on two cores.
ON_DEMAND = ["lint", "reproducible", "stress-host", "clients-host", f"host-{matrix.VERSION}-x86_64",
             f"stress-ntke-{matrix.VERSION}-x86_64", f"stress-host-{matrix.VERSION}-x86_64",
             "ntke-i386", "prefix-i386", "stress-ntke-i386", "clients-ntke-i386",
             f"trace-{matrix.VERSION}-x86_64", f"clients-ntke-{matrix.VERSION}-x86_64",
             f"clients-host-{matrix.VERSION}-x86_64", f"builtin-{matrix.VERSION}-i386",
             f"stress-ntke-{matrix.VERSION}-i386", f"stress-host-{matrix.VERSION}-i386",
             f"clients-ntke-{matrix.VERSION}-i386", f"new-wow64-{matrix.VERSION}-i386",
             f"stress-new-wow64-{matrix.VERSION}-i386", f"clients-new-wow64-{matrix.VERSION}-i386"]
