"""How calls, and what a timeline lacks, are told to readers."""

from . import winsock_errors
from .timeline_model import FD_NAMES, IO_PENDING, RECEIVES, SENDS, WAITS, Slice, Timeline, fd_names

_SELECTIONS = ("WSAEventSelect",)


def arguments(each: Slice) -> str:
    """What a call was given, in short."""
    words = []
    if each.socket or each.kind == "service":
        words.append(f"{each.subject:x}")
    if each.name in WAITS or each.handles:
        words = [_some(each.handles)] if each.handles else words
    if each.text:
        words.append(each.text)
    if each.name in RECEIVES or each.name in SENDS:
        words.append(f"{each.values[1]} bytes")
    if each.name in _SELECTIONS:
        words.append(f"event {each.values[0]:x}, {fd_names(each.values[1])}")
    if each.overlapped and (each.name in RECEIVES or each.name in SENDS or each.name.endswith("Ex")):
        words.append(f"OVERLAPPED {each.overlapped:x}")
    return ", ".join(words)


def _some(handles: list[int]) -> str:
    shown = ", ".join(f"{handle:x}" for handle in handles[:4])
    return f"{shown} and {len(handles) - 4} more" if len(handles) > 4 else shown


def outcome(each: Slice) -> str:
    """How it ended."""
    if each.end is None:
        return "never ended"
    if each.kind == "service":
        return f"status {each.error:#x}" if each.error else "success"
    if each.error:
        return "pending" if each.error == IO_PENDING else winsock_errors.name(each.error)
    if each.name == "WSAEnumNetworkEvents":
        return fd_names(each.told & sum(FD_NAMES))
    if each.name in RECEIVES or each.name in SENDS:
        return f"{each.bytes} bytes"
    if each.name in WAITS:
        return "time-out" if each.ended_by is None else f"ended by {each.ended_by:x}"
    if each.name in ("socket", "WSASocketA", "WSASocketW", "accept", "WSAAccept", "WSACreateEvent"):
        return f"{each.result:x}"
    return "0" if not each.result else f"{each.result:#x}"


def reservations(timeline: Timeline) -> list[str]:
    """What is not in it, and may be looked for in vain."""
    recordings = [process.recording for process in timeline.processes]
    words = []
    if lost := sum(recording.lost_entries for recording in recordings):
        words.append(f"the oldest {lost:,} records are lost: --entries keeps more")
    if no_room := sum(recording.lost_threads for recording in recordings):
        words.append(f"{no_room} threads found no room")
    if len(recordings) == 1 and not recordings[0].ended:
        words.append("the process did not come to its own end: it crashed, or was killed")
    elif not all(recording.ended for recording in recordings):
        words.append("not all processes came to their own end")
    return words
