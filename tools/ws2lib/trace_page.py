"""A timeline as one HTML page that needs nothing else: trace_page.html with the data in it."""

import html
import json
from pathlib import Path

from . import trace_text
from .timeline_model import IO_PENDING, WOULDBLOCK, Instant, Slice, Timeline
from .trace_findings import Finding
from .trace_text import arguments, outcome
from .trace_totals import calls, sums

MOST = 150_000  # calls and services; the newest, for a page should open in a moment

_TEMPLATE = Path(__file__).with_name("trace_page.html")


def write(timeline: Timeline, findings: list[Finding], path: Path) -> None:
    title = " + ".join(dict.fromkeys(process.program for process in timeline.processes))
    # In a script element nothing may look like its end, or like the begin of another one.
    data = json.dumps(_data(timeline, findings), separators=(",", ":")).replace("<", "\\u003c")
    page = _TEMPLATE.read_text(encoding="utf-8").replace("$TITLE", html.escape(title))
    path.write_text(page.replace("/*DATA*/null", data), encoding="utf-8")


class _Texts:
    """Each text once; the rows have numbers."""

    def __init__(self):
        self.list: list[str] = []
        self._known: dict[str, int] = {}

    def number(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.list)
            self.list.append(text)
        return self._known[text]


def _data(timeline: Timeline, findings: list[Finding]) -> dict:
    texts = _Texts()
    slices = timeline.slices[-MOST:]
    instants = timeline.instants[-MOST:]
    threads: dict[tuple, int] = {}
    for each in sorted([*slices, *instants], key=_begin):
        threads.setdefault((each.process.number, each.thread), len(threads))
    programs = {process.number: process.program for process in timeline.processes}
    sockets = {socket.number: index for index, socket in enumerate(timeline.sockets)}
    shown = {each.number for each in [*slices, *instants]}
    end = max((process.last for process in timeline.processes), default=0)
    several = len(timeline.processes) > 1
    return {
        "about": _about(timeline, len(slices)), "end": end,
        "threads": [{"name": f"{number:x}", "program": f"{programs[process]} {process:x}" if several else programs[process]}
                    for process, number in threads],
        "sockets": [{"name": socket.name + (f" of {socket.process.number:x}" if several else ""), "states": socket.states,
                     "received": socket.received, "sent": socket.sent} for socket in timeline.sockets],
        "slices": [_slice(each, threads, sockets, texts) for each in slices],
        "instants": [_instant(each, threads, sockets, texts) for each in instants],
        "arrows": [(cause.number, effect.number) for cause, effect in timeline.arrows
                   if cause.number in shown and effect.number in shown],
        "findings": [vars(finding) for finding in findings],
        "sums": sums(timeline), "calls": calls(timeline), "texts": texts.list,
    }


def _begin(each: Slice | Instant) -> int:
    return each.time if isinstance(each, Instant) else each.begin


def _depth(each: Slice) -> int:
    depth = 0
    while each.parent:
        each = each.parent
        depth += 1
    return depth


def _slice(each: Slice, threads: dict, sockets: dict, texts: _Texts) -> list:
    failed = each.end is not None and each.error and each.error not in (WOULDBLOCK, IO_PENDING) \
        and (each.kind == "call" or each.error >= 0xC0000000)
    return [each.number, threads[each.process.number, each.thread], texts.number(each.name), each.begin,
            -1 if each.end is None else each.end - each.begin, _depth(each),
            sockets[each.socket.number] if each.socket else -1, texts.number(each.kind), texts.number(arguments(each)),
            texts.number(outcome(each)), int(bool(failed)), texts.number(each.place), each.requests,
            [sockets[socket.number] for socket in each.asked]]


def _instant(each: Instant, threads: dict, sockets: dict, texts: _Texts) -> list:
    told = f"status {each.status & 0xFFFFFFFF:#x}" if each.status else ""
    if each.kind == "completed":
        told = f"{each.values[1]} bytes {told}".strip()
    return [each.number, threads[each.process.number, each.thread], texts.number(each.name), each.time,
            sockets[each.socket.number] if each.socket else -1, texts.number(told)]


def _about(timeline: Timeline, shown: int) -> str:
    first = timeline.processes[0].recording
    words = [f"{len(timeline.processes)} processes" if len(timeline.processes) > 1 else f"process {first.process:x}",
             f"kernel {first.kernel}", f"{first.began:%Y-%m-%d %H:%M:%S} UTC"]
    if shown < len(timeline.slices):
        words.append(f"the newest {shown:,} of {len(timeline.slices):,} calls")
    return " · ".join(words + trace_text.reservations(timeline))
