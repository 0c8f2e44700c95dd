"""The side `trace` of `ws2 test`: recordings of our own programs and of others', what is found in them, faults, and
the page in a browser. Pages and screenshots are left in build/trace."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import chromium, packages, paths, timeline_build, timeline_file, timeline_model, trace, trace_event, trace_findings, \
    trace_page, trace_schema
from .report import Report
from .ui import Failure
from .wine import Prefix, RootWine, Wine, fresh_prefix

LIMIT = 120  # seconds; only there to end a hang
ARTEFACTS = paths.BUILD / "trace"
_FAULTY = paths.ROOT / "tests" / "trace" / "faulty.cpp"
# Other people's programs, by the client of tests/clients that runs them and the end of their names; one case each.
_CLIENTS = {"curl": ("curl.exe", "downloads_in_parallel"), "node": ("node.exe", "fifty_connections_inside_one_process"),
            "postgres": ("postgres.exe", "many_clients_at_once")}


def run(report: Report, wine: Wine) -> None:
    lacking = ""
    try:
        packages.ensure("trace")
    except Failure as failure:
        lacking = str(failure)
    with tempfile.TemporaryDirectory(prefix="ws2-trace-") as scratch, fresh_prefix(wine, "ntke") as prefix:
        check = _Check(report, prefix, Path(scratch), lacking)
        check.demo()
        check.findings()
        check.faults()
        check.bounded_memory()
        check.killed_program()
        check.loader_lock()
        check.readable_lines()
        # Their harness starts the machine's Wine.
        for client in [] if isinstance(wine, RootWine) else _CLIENTS:
            check.client(client)


class _Check:
    def __init__(self, report: Report, prefix: Prefix, scratch: Path, lacks_browser: str):
        self._report = report
        self._prefix = prefix
        self._scratch = scratch
        self._lacks_browser = lacks_browser
        self._runs = 0

    def _expect(self, holds: bool, name: str, why: str, details: list[str] | None = None) -> None:
        if holds:
            self._report.ok()
        else:
            self._report.fail(name, why, details)

    def _record(self, program: Path, *arguments: str, faults: tuple = (), seed: int = 1, entries: int = 1 << 16):
        """Runs a program; its output, and what it has recorded."""
        self._runs += 1
        name = self._scratch / f"run-{self._runs}"
        outcome = self._prefix.run(program, *arguments, timeout=LIMIT,
                                   env=trace.settings(name, list(faults), seed, entries))
        return outcome, trace.recordings(name)

    def _faulty(self, *arguments: str, **options):
        return self._record(paths.test_program("x86_64", "trace_faulty"), *arguments, **options)

    def demo(self) -> None:
        outcome, found = self._record(paths.DIST / "x86_64" / "demo" / "event_echo.exe")
        self._expect(outcome.exit_code == 0, "demo", "fails while it is recorded", outcome.output.splitlines()[-12:])
        timeline = self._page("demo", found)
        chains = {(cause.name.split()[0], effect.name) for cause, effect in timeline.arrows}
        for link in (("FD_READ", "WSAWaitForMultipleEvents"), ("WSAWaitForMultipleEvents", "WSAEnumNetworkEvents"),
                     ("WSAEnumNetworkEvents", "recv"), ("WSAEnumNetworkEvents", "accept")):
            self._expect(link in chains, f"demo: an arrow from {link[0]} to {link[1]}", "is missing")
        sent = sum(socket.sent for socket in timeline.sockets)
        self._expect(sent == 2 * 32 * 262144, "demo: bytes sent", f"are {sent}, and each of 32 clients sends 256 KiB")

    def client(self, name: str) -> None:
        """One of other people's programs, which is checked byte by byte meanwhile."""
        program, case = _CLIENTS[name]
        recording = self._scratch / name
        runner = paths.ROOT / "tests" / "clients" / "run.py"
        done = subprocess.run(
            [sys.executable, str(runner), "--wine", "wine", "--prefix", str(self._prefix.folder), "--expect-product",
             paths.PRODUCT, "--client", name, "--filter", f"*{case}"],
            env=dict(self._prefix.environment(trace.settings(recording, [])), PYTHONDONTWRITEBYTECODE="1"), check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=LIMIT)
        if skipped := re.search(r"^ok .*# SKIP (.*)$", done.stdout, re.MULTILINE | re.IGNORECASE):
            self._report.skip(name, skipped[1])
            return
        self._expect(done.returncode == 0, name, "fails while it is recorded", done.stdout.splitlines()[-12:])
        self._page(name, [each for each in trace.recordings(recording) if each.program.lower().endswith(program)])

    def _page(self, name: str, found: list[timeline_file.Recording]) -> timeline_model.Timeline:
        """Both forms of a timeline, and a look at them."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        timeline = timeline_build.build(found)
        page, events = ARTEFACTS / f"{name}.html", ARTEFACTS / f"{name}.json"
        trace_page.write(timeline, trace_findings.find(timeline), page)
        trace_event.write(timeline, events)
        problems = trace_schema.problems(events)
        self._expect(not problems, f"{name}.json", "is not in the Trace Event format", problems[:12])
        if self._lacks_browser:
            self._report.skip(f"{name}.html", self._lacks_browser)
            return timeline
        try:
            problems = _look(page, timeline)
        except Failure as failure:
            problems = [str(failure)]
        self._expect(not problems, f"{name}.html", "is not as it should be", problems)
        return timeline

    def findings(self) -> None:
        """Each faulty program has its fault found, and none is found where it is as it should be."""
        kinds = re.findall(r'^    \{ "(\w+)", \w+ \},$', _FAULTY.read_text(encoding="utf-8"), re.MULTILINE)
        for kind in kinds:
            for words in ([kind], [kind, "--good"]):
                outcome, found = self._faulty(*words)
                told = [finding.kind for finding in trace_findings.find(timeline_build.build(found))]
                name = " ".join(words)
                self._expect(outcome.exit_code == 0 and (kind in told if len(words) == 1 else not told), name,
                             f"exit code {outcome.exit_code}, found: {told}", outcome.output.splitlines()[-12:])

    def faults(self) -> None:
        """The same seed strikes the same calls, another one others."""
        def struck(seed: int, *faults: str) -> list[tuple[int, int]]:
            _, found = self._faulty("tiny_sends", faults=faults, seed=seed)
            sends = [each for each in found[0].entries if each.kind == "return" and each.name == "WSASend"]
            return [(index, each.status) for index, each in enumerate(sends) if each.status]
        first = struck(7, "send:ENOBUFS:p=0.2")
        self._expect(3 <= len(first) <= 45 and {error for _, error in first} == {10055}, "fault: p=0.2",
                     f"of a hundred sends {len(first)} fail")
        self._expect(first == struck(7, "send:ENOBUFS:p=0.2"), "fault: the seed", "does not strike the same calls again")
        self._expect(first != struck(8, "send:ENOBUFS:p=0.2"), "fault: another seed", "strikes the same calls")
        after = struck(1, "WSASend:WSAENOBUFS:after=10:times=3")
        self._expect([index for index, _ in after] == [10, 11, 12], "fault: after and times", f"strike {after}")
        _, found = self._faulty("socket_leaked", "--good", faults=("socket:EMFILE", "closesocket:delay=50ms"))
        timeline = timeline_build.build(found)
        made = next(each for each in timeline.slices if each.name == "socket")
        self._expect(made.error == 10024, "fault: socket:EMFILE", f"is told as {made.error}")
        _, found = self._faulty("tiny_sends", "--good", faults=("send:short", "recv:delay=50ms:times=1"))
        timeline = timeline_build.build(found)
        sent = next(each for each in timeline.slices if each.name == "WSASend")
        self._expect(sent.bytes == 1, "fault: short", f"sends {sent.bytes} of the two bytes of the first buffer")
        waited = next(each for each in timeline.slices if each.name == "recv")
        self._expect(waited.end is None or waited.end - waited.begin >= 50_000_000, "fault: delay", "does not delay")

    def bounded_memory(self) -> None:
        """A thread keeps its newest entries, and how many are lost is told."""
        _, found = self._faulty("polling", entries=64)
        recording = found[0]
        threads = {each.thread for each in recording.entries}
        self._expect(len(recording.entries) <= 64 * len(threads) and recording.lost_entries > 400, "bounded memory",
                     f"{len(recording.entries)} entries are kept and {recording.lost_entries} lost")
        self._expect(recording.ended, "bounded memory: the newest", "are not what is kept")

    def killed_program(self) -> None:
        """What a process has recorded is there, however it ends."""
        outcome, found = self._faulty("killed")
        names = [each.name for each in found[0].entries if each.kind == "call"]
        self._expect(outcome.exit_code == 9 and "bind" in names and not found[0].ended, "a killed program",
                     f"exit code {outcome.exit_code}, recorded: {names}")

    def loader_lock(self) -> None:
        """The first call makes the recording, and asks the loader nothing: another thread may have its lock."""
        outcome, found = self._faulty("first_call_beside_the_loader")
        names = [each.name for each in found[0].entries if each.kind == "call"]
        self._expect(outcome.exit_code == 0 and names == ["gethostname"] * 2, "a first call beside the loader",
                     f"exit code {outcome.exit_code}, recorded: {names}", outcome.output.splitlines()[-12:])

    def readable_lines(self) -> None:
        """WINEDEBUG=+ws2call, without a recording."""
        outcome = self._prefix.run(paths.test_program("x86_64", "trace_faulty"), "tiny_sends", "--good", timeout=LIMIT,
                                   env={"WINEDEBUG": "+ws2call"})
        lines = [line for line in outcome.output.splitlines() if ":ws2call:" in line]
        for wanted in (r":ws2call:WSAStartup \(202, [0-9a-f]+\) -> 0$", r":ws2call:socket \(2, 1, 6\) -> [0-9a-f]+$",
                       r":ws2call:closesocket \([0-9a-f]+\) -> 0$",
                       r":ws2call:connect \([0-9a-f]+, [0-9a-f]+, 10\) 127\.0\.0\.1:\d+ -> 0$",
                       r":ws2call:WSASend \([0-9a-f, ]+\) -> 0, tells c8$"):
            self._expect(any(re.search(wanted, line) for line in lines), f"+ws2call: {wanted}", "no line is like this",
                         outcome.output.splitlines()[-12:])


def _look(path: Path, timeline: timeline_model.Timeline) -> list[str]:
    """Opens a page, does what readers do, and leaves a screenshot. What is not as it should be."""
    wrong = []

    def expect(holds: bool, what: str) -> None:
        if not holds:
            wrong.append(what)
    with chromium.page() as page:
        page.open(path)
        threads = len({(each.process.number, each.thread) for each in [*timeline.slices, *timeline.instants]})
        expect(page.evaluate("document.querySelectorAll('.lane.thread').length") == threads, "not a lane for each thread")
        expect(page.evaluate("document.querySelectorAll('.lane.socket').length") == len(timeline.sockets),
               "not a lane for each socket")
        expect(page.evaluate("drawn.length") > 10, "next to nothing is drawn")
        _zoom(page, expect)
        page.screenshot(path.with_suffix(".png"))
        _search(page, expect)
        _filter(page, timeline, expect)
        expect(not page.problems, f"errors on the console: {page.problems[:3]}")
    return wrong


def _zoom(page: chromium.Page, expect) -> None:
    """To an arrow from a wait or an enumeration, so that it is seen."""
    whole = page.evaluate("view.to - view.from")
    page.wheel(600, 300, -240)
    expect(page.evaluate("view.to - view.from") < whole, "the wheel does not zoom")
    page.evaluate("document.getElementById('fit').click()")
    expect(page.evaluate("view.to - view.from") == whole, "`all` does not show all")
    page.evaluate("choose(arrows[arrows.length >> 1][1], true)")
    page.evaluate("zoom(8)")
    expect(page.evaluate("document.querySelectorAll('path.arrow.chosen').length") > 0, "no arrow leads to its effect")
    expect("because of" in page.evaluate("document.getElementById('chosen').textContent"), "what is chosen has no cause")


def _search(page: chromium.Page, expect) -> None:
    page.evaluate("(box => { box.value = 'closesocket'; box.dispatchEvent(new Event('input')); })"
                  "(document.getElementById('search'))")
    found = page.evaluate("document.getElementById('hits').textContent")
    expect(re.fullmatch(r"[1-9]\d* found", found) is not None, f"the search for closesocket says {found!r}")
    page.evaluate("document.getElementById('search').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }))")
    expect(page.evaluate("view.chosen && view.chosen.name") == "closesocket", "Enter does not go to what was found")
    page.evaluate("search('')")


def _filter(page: chromium.Page, timeline: timeline_model.Timeline, expect) -> None:
    busiest = max(range(len(timeline.sockets)), key=lambda index: len(timeline.sockets[index].items))
    page.evaluate(f"(list => {{ list.value = {busiest}; list.dispatchEvent(new Event('change')); }})"
                  "(document.getElementById('socket'))")
    expect(page.evaluate("document.querySelectorAll('.lane.socket').length") == 1, "the filter leaves other sockets")
    shown = page.evaluate("document.querySelector('.lane.socket').textContent")
    expect(timeline.sockets[busiest].name in shown, f"the filter shows {shown}")
