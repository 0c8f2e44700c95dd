"""A timeline in the Trace Event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

Threads are lanes of complete events ("X") with instants ("i"), sockets are lanes of nestable async events ("b",
"n", "e"), arrows are flow events ("s", "f"). Times are µs.
"""

import json
from pathlib import Path

from .timeline_model import Instant, Slice, Socket, Timeline
from .trace_text import arguments, outcome


def write(timeline: Timeline, path: Path) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        for index, event in enumerate(events(timeline)):
            file.write((",\n" if index else "") + json.dumps(event, separators=(",", ":")))
        file.write("\n]}\n")


def events(timeline: Timeline):
    """Every event of the format, as a dictionary."""
    for process in timeline.processes:
        yield _metadata("process_name", process.number, 0, f"{process.program} (kernel {process.recording.kernel})")
    threads = sorted({(each.process.number, each.thread) for each in [*timeline.slices, *timeline.instants]})
    for process, thread in threads:
        yield _metadata("thread_name", process, thread, f"thread {thread:x}")
    for each in timeline.slices:
        yield _slice(each)
    for each in timeline.instants:
        yield {**_common(each, each.time, each.name, each.kind), "ph": "i", "s": "t",
               "args": {"status": f"{each.status & 0xFFFFFFFF:#x}"}}
    for socket in timeline.sockets:
        yield from _socket(socket)
    for number, (cause, effect) in enumerate(timeline.arrows):
        flow = {"name": "causes", "cat": "arrow", "id": number}
        yield {**_common(cause, _moment(cause), "causes", "arrow"), **flow, "ph": "s"}
        yield {**_common(effect, _moment(effect), "causes", "arrow"), **flow, "ph": "f", "bp": "e"}


def _metadata(name: str, process: int, thread: int, text: str) -> dict:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "ts": 0, "args": {"name": text}}


def _common(each: Slice | Instant, time: int, name: str, category: str) -> dict:
    return {"name": name, "cat": category, "pid": each.process.number, "tid": each.thread, "ts": time / 1000}


def _moment(each: Slice | Instant) -> int:
    """Where an arrow touches: a slice at its end, where its effect shows."""
    if isinstance(each, Instant):
        return each.time
    return each.process.last if each.end is None else each.end


def _slice(each: Slice) -> dict:
    end = each.process.last if each.end is None else each.end
    args = {"arguments": arguments(each), "result": outcome(each)}
    if each.place:
        args["from"] = each.place
    if each.requests:
        args["requests to the server"] = each.requests
    return {**_common(each, each.begin, each.name, each.kind), "ph": "X", "dur": (end - each.begin) / 1000, "args": args}


def _socket(socket: Socket):
    process = socket.process
    common = {"cat": "socket", "id": f"{process.number:x}.{socket.number:x}", "pid": process.number, "tid": 0}
    end = socket.end if socket.end is not None else process.last
    yield {**common, "ph": "b", "name": socket.name, "ts": socket.begin / 1000,
           "args": {"received": socket.received, "sent": socket.sent}}
    for time, state in socket.states:
        yield {**common, "ph": "n", "name": state, "ts": time / 1000, "args": {}}
    for each in socket.items:
        if isinstance(each, Instant):
            yield {**common, "ph": "n", "name": each.name, "ts": each.time / 1000, "args": {}}
    yield {**common, "ph": "e", "name": socket.name, "ts": max(end, socket.begin) / 1000, "args": {}}
