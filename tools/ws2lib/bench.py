"""`ws2 bench`: our DLL against Wine's builtin and a native Linux program, in turns on one machine."""

import contextlib
import fnmatch
import os
import re
import resource
import subprocess
from pathlib import Path

from . import (bench_plot, bench_programs, bench_publish, bench_report, bench_requests, bench_targets, build, paths,
               wine)
from .bench_kinds import KINDS
from .bench_prefix import CONFIGURATIONS, BenchPrefix, available_configurations
from .bench_report import APART, FREE, PLACES, TOGETHER
from .ui import Failure, say

HELP = """\
Measures the DLL: the same Windows program on Wine's builtin and on ours, and a native Linux program
as the limit. The configurations take turns (A B C A B C) in fresh prefixes of one machine, so that
whatever else the machine does meets them all. Every workload checks its results, and every program
says which ws2_32.dll and kernel it ran with. Small programs of Go and Node.js and a PostgreSQL
server are measured likewise (go_*, node_*, postgres_*). Also counts, from the log of Wine's server, how
many requests each call costs.

configurations:
  builtin     Wine's own DLL
  host        our DLL without ntke
  ntke        our DLL on ntke
  native      the Linux program
  recorded    as ntke, recorded as by `ws2 trace`; only when it is named

With --arch i386 the Windows programs are 32-bit. Where the machine's Wine runs none, as Debian's without
wine32, they run on that of `ws2 matrix`, which needs root. native stays 64-bit. i386-new-wow64 are 32-bit
programs on a Wine without a 32-bit Linux half, always that of `ws2 matrix`.

examples:
  ws2 bench                                       everything, as tables
  ws2 bench --json out.json --plot out.svg        and the figures and a plot of them
  ws2 bench --quick --only 'event_*'              some workloads, roughly
  ws2 bench --only send_recv_1 --rounds 20        one workload, more often
  ws2 bench --requests-only                       only the requests per call
  ws2 bench --arch i386 --quick                   32-bit programs, roughly
  ws2 bench --from out.json --plot out.svg        a plot of an earlier run
  ws2 bench --publish                             also renew the figures this repository shows
"""

NATIVE_PROGRAM = paths.BUILD / "native" / "tests" / "bench" / "linux" / "bench-linux"
ROUNDS, QUICK_ROUNDS = 9, 2
SAMPLES_PER_ROUND = 3  # Few: a process keeps its place on the machine, and only the next one gets another.
# These make the same requests on all configurations; their figures would tell of that chance only.
ALWAYS_TOGETHER = ("acceptex_iocp", "process_start")
# Wine's DLL does not have what these use.
NOT_ON_BUILTIN = ("notification_echo_64", "rio_echo_64", "rio_udp_pingpong", "rio_udp_receive_batch_32",
                  "rio_udp_send_batch_32")
PROCESS_TIMEOUT = 180  # seconds; a workload with 10,000 sockets on a busy machine needs many


def add_arguments(parser) -> None:
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="only this workload; may be repeated, patterns are allowed")
    parser.add_argument("--configuration", action="append", choices=list(CONFIGURATIONS) + ["native"],
                        metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--arch", choices=list(KINDS), default="x86_64",
                        help="the kind of Windows programs: %(choices)s (default %(default)s)")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help=f"how often the configurations take turns (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_ROUNDS} rounds and no requests, to see where one stands")
    parser.add_argument("--place", choices=PLACES, default=FREE,
                        help=f"bind each program and its server to one processor ({TOGETHER}: the best case "
                             f"of Wine's own DLL) or to different ones ({APART}: where a scheduler with idle "
                             f"processors puts them); default {FREE}. Bound figures are steadier.")
    parser.add_argument("--requests-only", action="store_true",
                        help="count server requests, measure no time")
    parser.add_argument("--no-requests", action="store_true", help="do not count server requests")
    parser.add_argument("--no-build", action="store_true", help="measure what has been built before")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write an SVG of the figures there")
    parser.add_argument("--publish", action="store_true",
                        help="write the figures and the plot of tests/bench, and the table of the README or, of "
                             "32-bit programs, of tests/bench/README.md")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="source",
                        help="take the figures from this JSON file and measure nothing")
    parser.add_argument("--check", action="store_true",
                        help="fail when a call needs more server requests than the builtin's or the "
                             "cost of a socket grows with their number")


def main(args) -> int:
    if args.publish and not args.source:
        bench_publish.place_of(args.arch)  # Better refused before all is measured.
    if args.source:
        figures = bench_report.read_json(args.source)
    else:
        figures = _measure_all(args)
    print(bench_report.table(figures), end="")
    if targets := bench_targets.table(figures):
        print("\n" + targets, end="")
    if args.json:
        bench_report.write_json(figures, args.json)
    if args.plot:
        args.plot.write_text(bench_plot.svg(figures), encoding="utf-8")
    if args.publish:
        bench_publish.publish(figures)
    problems = (bench_targets.too_many_requests(figures, figures.get("request_names", {}))
                + bench_report.growth_problems(figures))
    for problem in problems:
        say(problem)
    return 1 if figures.get("failures") or (args.check and problems) else 0


def _measure_all(args) -> dict:
    # A server started by hand keeps the limit it is given, and 10,000 sockets need more than most.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if args.place == APART and len(os.sched_getaffinity(0)) < 2:
        raise Failure(f"--place {APART} takes two processors, and there is one here")
    kind = KINDS[args.arch]
    installation = kind.get_wine()
    if not args.no_build:
        build.build(*kind.builds)
    names = args.configuration or [*available_configurations(kind), "native"]
    rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    figures = {"machine": bench_report.machine(installation.version, args.arch, kind.remark), "workloads": [],
               "requests": [], "failures": []}
    workloads = [] if args.requests_only else _workloads(args.only, kind.arch)
    # Before the servers start: one in a root finds no files that come later.
    programs = bench_programs.prepare(workloads, kind.arch, figures["failures"])
    prefixes = {}
    with contextlib.ExitStack() as cleanup:
        for name in names:
            if name == "native":
                continue
            fresh = cleanup.enter_context(wine.fresh_prefix(installation, serve=False))
            prefixes[name] = BenchPrefix(CONFIGURATIONS[name], fresh, kind)
            cleanup.callback(prefixes[name].stop)
            prefixes[name].start()
        figures["machine"]["configurations"] = {
            name: prefix.module() for name, prefix in prefixes.items()}
        if workloads:
            runner = _Runner(prefixes, names, rounds, args.place, programs)
            figures["workloads"] = runner.run([name for name in workloads if name in programs
                                               or name not in bench_programs.NAMES])
            figures["failures"] += runner.failures
            figures["machine"].update(rounds=rounds, place=args.place)
        if args.requests_only or not (args.no_requests or args.quick):
            figures["requests"], figures["request_names"] = bench_requests.count(
                prefixes, figures["failures"])
        return figures


def _workloads(globs: list[str] | None, arch: str) -> list[str]:
    names = subprocess.run([NATIVE_PROGRAM, "--list"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split() + list(bench_programs.NAMES_OF_ARCH[arch])
    chosen = [name for name in names
              if any(fnmatch.fnmatch(name, glob) for glob in globs or ["*"])]
    if not chosen:
        raise Failure(f"no workload matches {' or '.join(globs)}; there are: {', '.join(names)}")
    return chosen


@contextlib.contextmanager
def _bound(processors: set[int]):
    """What is started meanwhile stays on these processors."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


def _complaints(text: str) -> list[str]:
    """The first thing bench.exe says, which is the cause, and the last."""
    own = [line for line in text.splitlines() if line.startswith("bench: ")]
    return own[:1] + own[1:][-1:] or text.strip().splitlines()[-2:]


class _Runner:
    """Takes the turns and collects the samples."""

    def __init__(self, prefixes, names, rounds, place=FREE, programs=None):
        self._prefixes = prefixes
        self._names = names
        self._rounds = rounds
        self._place = place
        self._programs = programs or {}
        self._values = {}   # (workload, configuration) -> a list of samples per round
        self._units = {}    # workload -> unit
        self.failures = []

    def run(self, workloads: list[str]) -> list[dict]:
        for number in range(1, self._rounds + 1):
            say(f"round {number} of {self._rounds}: {len(workloads)} workloads on "
                + ", ".join(self._names))
            for workload in workloads:
                for name in self._names_of(workload):
                    self._take(workload, name)
        return [self._summary(workload) for workload in workloads if workload in self._units]

    def _names_of(self, workload: str) -> list[str]:
        """The configurations that know the workload."""
        program = self._programs.get(workload)
        lacking = {"builtin"} if workload in NOT_ON_BUILTIN else set()
        if program and not program.has_native:
            lacking.add("native")
        return [name for name in self._names if name not in lacking]

    def _summary(self, workload: str) -> dict:
        row = bench_report.summarize(workload, self._units[workload], {
            name: self._values.get((workload, name), []) for name in self._names_of(workload)})
        if workload in self._programs:
            row["section"] = bench_report.PROGRAMS
        return row

    def _take(self, workload: str, name: str) -> None:
        with contextlib.ExitStack() as bound:
            place = TOGETHER if workload in ALWAYS_TOGETHER else self._place
            if place != FREE:
                processors = os.sched_getaffinity(0)
                last = {max(processors)}
                bound.enter_context(_bound(last if place == TOGETHER else processors - last))
                if name != "native":
                    bound.enter_context(self._prefixes[name].bound(last))
            self._run(workload, name)

    def _run(self, workload: str, name: str) -> None:
        output, problem = self._output(workload, name)
        match = re.search(r"^sample workload=\S+ unit=(\S+) iterations=\d+ values=(\S+)", output, re.M)
        if not match:
            text = f"{workload} on {name}: {' / '.join(problem) or 'no result'}"
            if text not in self.failures:
                self.failures.append(text)
                say(text)
            return
        if name != "native" and workload not in self._programs:
            self._prefixes[name].check_module(output)
        self._units[workload] = match[1]
        self._values.setdefault((workload, name), []).append([float(v) for v in match[2].split(",")])

    def _output(self, workload: str, name: str) -> tuple[str, list[str]]:
        """What the program of the workload prints, and what it complains of."""
        try:
            if program := self._programs.get(workload):
                return program.output(workload, self._prefixes.get(name), SAMPLES_PER_ROUND, PROCESS_TIMEOUT), []
            arguments = ["--samples", str(SAMPLES_PER_ROUND), workload]
            if name == "native":
                command, env = [str(NATIVE_PROGRAM), *arguments], None
            else:
                command, env = self._prefixes[name].command(arguments), self._prefixes[name].environment
            done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, errors="replace", timeout=PROCESS_TIMEOUT, check=False)
            return done.stdout, _complaints(done.stderr)
        except subprocess.TimeoutExpired as error:
            return "", [f"no end within {error.timeout:g} s"]
        except Failure as failure:
            return "", str(failure).splitlines()[-2:]
