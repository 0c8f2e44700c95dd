"""`ws2 trace`: what a program does on the network, as a timeline."""

import os
import signal
import tempfile
from pathlib import Path

from . import fault, run, timeline_build, timeline_file, trace_event, trace_findings, trace_page, trace_text
from .ui import Failure, say

HELP = """\
Runs a Windows program on our ws2_32.dll, as `ws2 run` does, and shows what it did on the network. It writes
NAME.html, a page with a lane for each thread and each socket, arrows from causes to effects, totals, and
findings: what the program does wrong. Beside it NAME.json is the same for Perfetto (https://ui.perfetto.dev)
and chrome://tracing. Findings are told here, too.

examples:
  ws2 trace                                          the demo
  ws2 trace --out wget program.exe --port 80         a program of yours, into wget.html and wget.json
  ws2 trace --fault recv:ECONNRESET:p=0.01 program.exe    one receive in a hundred fails
  ws2 trace --fault send:short --fault connect:delay=500ms --seed 7 program.exe
  ws2 trace --read /tmp/rec                          of programs that were started with WS2_32_TRACE=/tmp/rec

Faults: CALL:ERROR, CALL:short or CALL:delay=500ms, and with it p=0.01 (of each call), after=100 (calls that are
spared), times=3. The same seed strikes the same calls again.
"""


def add_arguments(parser) -> None:
    parser.add_argument("--out", type=Path, metavar="NAME", help="what to write: NAME.html and NAME.json (trace)",
                        default=Path("trace"))
    parser.add_argument("--fault", action="append", default=[], metavar="CALL:WHAT", help="make calls fail")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which calls the faults strike (1)")
    parser.add_argument("--entries", type=int, default=1 << 16, metavar="N",
                        help="how many records each thread keeps, the newest (65536, of 64 bytes)")
    parser.add_argument("--read", metavar="NAME", help="run nothing: read what WS2_32_TRACE=NAME has recorded")
    run.add_arguments(parser)


def main(args) -> int:
    _check(args.out)
    if args.read:
        write(recordings(Path(args.read)), args.out)
        return 0
    if args.entries < 1:
        raise Failure("--entries: a thread keeps one record at least")
    if args.kernel == "builtin":
        raise Failure("Wine's own DLL records nothing: leave --kernel builtin out")
    with tempfile.TemporaryDirectory(prefix="ws2-trace-") as folder:
        name = Path(folder) / "recording"
        for variable, value in settings(name, args.fault, args.seed, args.entries).items():
            os.environ[variable] = value
        code = _run(args)
        write(recordings(name), args.out)
    return code


def _check(out: Path) -> None:
    """What the program does may not come again, so this is looked at before it runs."""
    if not out.name or out.name == "..":
        raise Failure(f"--out {out}: that is a folder, say a name in it")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise Failure(f"--out {out}: {out.parent} is no folder that can be written to")


def _run(args) -> int:
    """Runs the program. Ctrl-C and SIGTERM end it, and no more: a server has no other end."""
    def stop(*_):
        raise KeyboardInterrupt
    before = signal.signal(signal.SIGTERM, stop)
    try:
        return run.main(args)
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def settings(name: Path, faults: list[str], seed: int = 1, entries: int = 1 << 16) -> dict[str, str]:
    """The environment of a program that is to record itself to files whose names begin so."""
    found = {"WS2_32_TRACE": "Z:" + str(name.absolute()).replace("/", "\\"), "WS2_32_TRACE_ENTRIES": str(entries)}
    if faults:
        found["WS2_32_FAULT"] = fault.setting(faults, seed)
    return found


def recordings(name: Path) -> list[timeline_file.Recording]:
    """What processes have recorded under a name. Of Wine's own, which start with a prefix, only if there is
    nothing else."""
    found = []
    for path in sorted(name.parent.glob(name.name + ".*-*")):
        try:
            found.append(timeline_file.read(path))
        except Failure as failure:  # of a process that was killed as it began, perhaps
            say(f"left out: {failure}")
    found = [recording for recording in found if recording.entries]
    if not found:
        raise Failure(f"nothing was recorded: the program has called nothing of ws2_32.dll, or {name}.* could not be made "
                      "(is there such a folder, and room on the disk?)")
    programs = [each for each in found if "\\windows\\system32\\" not in each.program.lower()]
    if not programs:
        say("only programs of Wine's own have called something of ws2_32.dll")
    return programs or found


def write(found: list[timeline_file.Recording], out: Path) -> list:
    """Writes both files, tells what was found, and returns that."""
    timeline = timeline_build.build(found)
    findings = trace_findings.find(timeline)
    out = out.with_suffix("") if out.suffix in (".html", ".json") else out
    page, events = out.with_name(out.name + ".html"), out.with_name(out.name + ".json")
    trace_page.write(timeline, findings, page)
    trace_event.write(timeline, events)
    for line in [*trace_findings.text(findings).splitlines(), *trace_text.reservations(timeline)]:
        say(line)
    say(f"{len(timeline.slices):,} calls, {len(findings)} findings: {page}, and {events} for Perfetto")
    return findings
