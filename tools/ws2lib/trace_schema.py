"""Checks a file against what the Trace Event format asks for: Trace Event Format, Google, "JSON Object Format"."""

import json
from pathlib import Path

_NUMBER = (int, float)
# What events of each phase must have besides `ph`, and of which type.
_COMMON = {"name": str, "pid": int, "tid": int, "ts": _NUMBER}
_FIELDS = {
    "X": {"dur": _NUMBER, "cat": str, "args": dict},
    "i": {"s": str, "cat": str},
    "M": {"args": dict},
    "b": {"cat": str, "id": str}, "n": {"cat": str, "id": str}, "e": {"cat": str, "id": str},
    "s": {"cat": str, "id": int}, "f": {"cat": str, "id": int, "bp": str},
}


def problems(path: Path) -> list[str]:
    """What is wrong with a file; an empty list if it is sound."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("traceEvents"), list):
        return ["no list `traceEvents`"]
    found: list[str] = []
    open_spans: dict[tuple, int] = {}
    flows: dict[int, list[str]] = {}
    for index, event in enumerate(content["traceEvents"]):
        found += [f"event {index}: {problem}" for problem in _of_event(event)]
        phase = event.get("ph")
        if phase in ("b", "e"):
            key = (event.get("cat"), event.get("id"))
            open_spans[key] = open_spans.get(key, 0) + (1 if phase == "b" else -1)
        elif phase in ("s", "f"):
            flows.setdefault(event.get("id"), []).append(phase)
    found += [f"span {key} is not begun and ended once each" for key, count in open_spans.items() if count]
    found += [f"flow {key} is {phases}" for key, phases in flows.items() if phases != ["s", "f"]]
    return found or _overlaps(content["traceEvents"])


def _of_event(event) -> list[str]:
    if not isinstance(event, dict) or event.get("ph") not in _FIELDS:
        return [f"no phase: {event}"]
    fields = {**_COMMON, **_FIELDS[event["ph"]]}
    found = [f"{name} is {event.get(name)!r}" for name, kind in fields.items() if not isinstance(event.get(name), kind)]
    if not found and (event["ts"] < 0 or event.get("dur", 0) < 0):
        found.append("it is before the beginning, or ends before it begins")
    return found


def _overlaps(events: list[dict]) -> list[str]:
    """Complete events of a thread lie beside or within each other."""
    threads: dict[tuple, list] = {}
    for event in events:
        if event.get("ph") == "X":
            threads.setdefault((event["pid"], event["tid"]), []).append(event)
    found = []
    for thread, own in threads.items():
        ends: list[float] = []
        for event in sorted(own, key=lambda each: (each["ts"], -each["dur"])):
            end = event["ts"] + event["dur"]
            while ends and ends[-1] <= event["ts"]:
                ends.pop()
            if ends and end > ends[-1] + 0.001:
                found.append(f"thread {thread}: {event['name']} at {event['ts']} sticks out of what it is in")
            ends.append(end)
    return found
