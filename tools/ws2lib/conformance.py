"""Runs conformance.exe on one side (a Wine, an architecture, our DLL or the builtin), or nt.exe on a
Wine's ntdll, and judges it by the side's known gaps. One process per group; after a crash or a hang, one
per case that is left. What the conformance suite found is kept for `ws2 report`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import paths, results, tap
from .report import Report
from .ui import Failure
from .wine import Prefix, Wine, fresh_prefix, proof_of_library, proof_of_system

GROUP_LIMIT = 900  # seconds; only there to end a hang, which the program itself sees much sooner
CASE_LIMIT = 300

# How many groups run at once. On Wine's server, cases that are known gaps wait minutes for what never comes; on
# ntke a group is done soon, and alone it is seen what it does by itself.
_AT_ONCE = {"builtin": 4, "host": 2}


@dataclass(frozen=True)
class Suite:
    """A program with groups of cases, as it is run on one side."""
    program: Path
    words: list[str]  # the arguments of every run
    check: Callable[[str], object]  # raises Failure for the output of a program that met something else
    is_of_wine: bool = False  # no code of ours runs: a case that surprises has its verdict when it has run again, alone


def suite_of(arch: str, dll: str) -> Suite:
    """The conformance suite on that DLL."""
    ours = dll != "builtin"
    return Suite(paths.test_program(arch, "conformance"),
                 ["--expect-product", paths.PRODUCT if ours else paths.BUILTIN_PRODUCT],
                 lambda output: proof_of_library(output, ours), is_of_wine=not ours)


def run(report: Report, wine: Wine, arch: str, dll: str) -> results.Side | None:
    """Returns what was found, which is then kept as well; None if the suite could not be run."""
    suite = suite_of(arch, dll)
    emulated = is_emulated(wine, arch)
    gaps = Gaps(expected_files(wine.version, arch, dll, emulated))
    side = results.begin(dll, wine.version, arch, emulated)
    with fresh_prefix(wine, dll, arch=arch) as prefix:
        if not run_suite(report, prefix, suite, gaps, _AT_ONCE.get(dll, 1)):
            return None
    side.cases = gaps.found
    results.save(side)
    return side


# How the cause of a gap begins that strikes by chance: passing is no surprise then.
AT_TIMES = "at times, "

# The groups of the NT-level suite that are about more than sockets.
KERNEL_GROUPS = ["apc", "completion", "event", "handle", "wait"]


def run_nt(report: Report, wine: Wine, arch: str) -> None:
    """The NT-level suite, which loads no ws2_32.dll: what it meets is this Wine's ntdll. Then, on ntke, what
    Winsock has seen is met there: events that live in the process."""
    program = paths.test_program(arch, "nt")
    suite = Suite(program, [], lambda output: proof_of_system(output, wine), is_of_wine=True)
    with fresh_prefix(wine, "builtin") as prefix:
        run_suite(report, prefix, suite, Gaps(expected_files(wine.version, arch, "nt")))
    suite = Suite(program, ["--winsock"], suite.check)
    gaps = Gaps(expected_files(wine.version, arch, "nt-winsock"))
    with fresh_prefix(wine, "ntke") as prefix:
        for group in KERNEL_GROUPS:
            run_group(report, prefix, suite, group, gaps)


def run_suite(report: Report, prefix: Prefix, suite: Suite, gaps: "Gaps", at_once: int = 1) -> bool:
    """Runs all groups, `at_once` of them at the same time. False if they could not even be listed."""
    listing = prefix.run(suite.program, "--list", timeout=CASE_LIMIT)
    groups = _names(listing.output)
    if listing.exit_code != 0 or not groups:
        report.fail(f"{suite.program.stem} --list", f"exit code {listing.exit_code}",
                    listing.output.splitlines())
        return False
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda group: run_group(report, prefix, suite, group, gaps), groups):
            pass
    for name in gaps.unused():
        report.fail(name, f"is listed in {gaps.files[name].name}, but there is no such case")
    return True


def is_emulated(wine: Wine, arch: str) -> bool:
    """Does an emulator of the processor run the programs of that architecture?"""
    return arch == "i386" and getattr(wine, "emulates_32bit", False)


def expected_files(version: str, arch: str, dll: str, emulated: bool = False) -> list[Path]:
    """A side's gaps: those of the DLL, those it has on this Wine or this architecture only, and those
    of the emulator in whose place a processor would do better."""
    folder = paths.ROOT / "tests" / "expected"
    names = [f"{dll}.txt", f"{dll}-{version}.txt", f"{dll}-{arch}.txt", f"{dll}-{version}-{arch}.txt"]
    if emulated:
        names.append("qemu.txt")
    return [folder / name for name in names if (folder / name).is_file()]


class Gaps:
    """The cases known to fail on a side: `group.case  # cause`, one per line."""

    def __init__(self, sources: list[Path]):
        self.causes: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self.found: dict[str, results.Outcome] = {}
        for path in sources:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                entry, _, cause = line.partition("#")
                if not entry.strip():
                    continue
                if not cause.strip():
                    raise Failure(f"{path}:{number}: a known gap needs its cause: `group.case  # cause`")
                self.causes[entry.strip()] = cause.strip()
                self.files[entry.strip()] = path

    def surprises(self, name: str, case: tap.Case) -> bool:
        """Is that another verdict than this side's list says?"""
        if case.skipped is not None or self.causes.get(name, "").startswith(AT_TIMES):
            return False
        return case.ok == (name in self.causes)

    def judge(self, report: Report, name: str, case: tap.Case) -> None:
        if case.skipped is not None:
            reason = case.skipped or "the case skipped itself"
            self.found[name] = results.Outcome(results.SKIPPED, reason)
            report.skip(name, reason)
            return
        if case.ok:
            self.found[name] = results.Outcome(results.PASSED)
        if case.ok and self.causes.get(name, "").startswith(AT_TIMES):
            report.ok()
        elif case.ok and name in self.causes:
            report.fail(name, f"passes, but is listed in {self.files[name].name} as a gap; take it out")
        elif case.ok:
            report.ok()
        else:
            self.failed(report, name, "an assertion failed", case.details)

    def failed(self, report: Report, name: str, why: str, details: list[str]) -> None:
        self.found[name] = results.Outcome(results.FAILED, why)
        if name in self.causes:
            report.gap(name, self.causes[name])
        else:
            report.fail(name, why, details)

    def unused(self) -> list[str]:
        return sorted(set(self.causes) - set(self.found))


def _names(listing: str) -> list[str]:
    """The names of a --list, without what Wine may have said around it."""
    return [line.strip() for line in listing.splitlines() if line.strip().isidentifier()]


def run_group(report: Report, prefix: Prefix, suite: Suite, group: str, gaps: Gaps) -> None:
    done = _run_cases(report, prefix, suite, group, None, gaps)
    if done is None:
        return
    listing = _names(prefix.run(suite.program, "--list", group, timeout=CASE_LIMIT).output)
    if not listing:
        report.fail(group, "ended early, and its cases cannot be listed")
    for case in listing:
        if case not in done:
            _run_cases(report, prefix, suite, group, case, gaps)


def _run_cases(report: Report, prefix: Prefix, suite: Suite, group: str, only: str | None,
               gaps: Gaps) -> set[str] | None:
    """Runs a group, or one case of it. Returns None when that was complete, else the cases that have
    their verdict; a single case always gets one."""
    words = [*suite.words, *(["--filter", only] if only else []), group]
    outcome = prefix.run(suite.program, *words, timeout=CASE_LIMIT if only else GROUP_LIMIT)
    # Who ended before the first word has no verdicts either: the cases then run one by one.
    if outcome.exit_code is not None and outcome.output.strip():
        suite.check(outcome.output)
    result = tap.parse(outcome.output)
    for case in result.cases:
        name = f"{group}.{case.name}"
        if only is None and suite.is_of_wine and gaps.surprises(name, case):
            # What Wine's own code does once on a busy machine is no fact about it.
            report.note(f"{name} {'passes' if case.ok else 'fails'}, which is not expected; it runs again, alone")
            _run_cases(report, prefix, suite, group, case.name, gaps)
        else:
            gaps.judge(report, name, case)
    done = {case.name for case in result.cases}
    if outcome.exit_code is not None and result.is_complete() and only in (None, *done):
        return None
    if only is None:
        return done
    if only not in done:
        gaps.failed(report, f"{group}.{only}", _how_it_ended(outcome.exit_code, result),
                    outcome.output.splitlines()[-12:])
    return None


def _how_it_ended(exit_code: int | None, result: tap.Result) -> str:
    if result.bail_out:
        return result.bail_out
    if exit_code is None:
        return "hangs"
    return f"crashes (exit code {exit_code}, {len(result.cases)} of {result.planned} cases reported)"
