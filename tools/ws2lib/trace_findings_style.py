"""Findings about how a program goes about its calls, and what it leaves behind."""

from itertools import groupby

from .timeline_model import IO_INCOMPLETE, IO_PENDING, RECEIVES, SENDS, WAIT_TIMEOUT, WAITS, WOULDBLOCK, Slice, Timeline
from .trace_finding import at
from .winsock_errors import name

_TINY, _MANY_TINY, _TOGETHER = 64, 32, 10_000_000   # bytes, sends, ns between them
_POLLS = 100                                       # in a row with nothing to tell
_FAILURES = 20
_LOOKS = RECEIVES | SENDS | {"select", "WSAPoll", "accept", "WSAAccept", "WSAGetOverlappedResult"}


def _of_threads(timeline: Timeline):
    """The calls of each thread, without what is made of them."""
    threads: dict[tuple, list[Slice]] = {}
    for each in timeline.slices:
        if not each.parent:
            threads.setdefault((each.process.number, each.thread), []).append(each)
    return threads.values()


def tiny_sends(timeline: Timeline):
    """Each costs a call and maybe a packet."""
    for socket in timeline.sockets:
        run: list[Slice] = []
        moves = [each for each in socket.items if isinstance(each, Slice) and each.name in SENDS | RECEIVES and each.bytes]
        for each in moves:
            is_tiny = each.name in SENDS and each.bytes < _TINY and each.overlapped == 0
            if not is_tiny or (run and each.begin - (run[-1].end or 0) > _TOGETHER):
                run = []
            if is_tiny:
                run.append(each)
            if len(run) == _MANY_TINY:
                yield at(run[0], "tiny_sends", "Many tiny sends",
                         f"{socket.name} sends {sum(part.bytes for part in run)} bytes in {len(run)} calls one after the "
                         "other; WSASend takes many buffers at once", "[send/7]")
                break


def _found_nothing(each: Slice) -> bool:
    if each.name in ("select", "WSAPoll"):
        return not each.error and not each.result & 0xFFFFFFFF and (each.end or 0) - each.begin < 1_000_000
    if each.name in WAITS:
        return WAIT_TIMEOUT in (each.error, each.result & 0xFFFFFFFF) and (each.end or 0) - each.begin < 1_000_000
    return each.name in _LOOKS and each.error in (WOULDBLOCK, IO_INCOMPLETE)


def polling(timeline: Timeline):
    """A processor is busy with asking."""
    for calls in _of_threads(timeline):
        for is_idle, group in groupby(calls, key=_found_nothing):
            run = list(group)
            if is_idle and len(run) >= _POLLS:
                yield at(run[0], "polling", "Polling in a loop",
                         f"{run[0].name} finds nothing {len(run)} times in a row, {_rate(run)} a second; wait for an event, "
                         "or with a time-out")
                break


def _rate(run: list[Slice]) -> str:
    return f"{len(run) / max((run[-1].begin - run[0].begin) / 1e9, 1e-9):,.0f}"


def repeated_failures(timeline: Timeline):
    """The same call fails with the same error, again and again."""
    usual = {0, WOULDBLOCK, IO_PENDING, IO_INCOMPLETE, WAIT_TIMEOUT}
    streaks: dict[tuple, list[Slice]] = {}
    told = set()
    for each in timeline.slices:
        if each.kind != "call":
            continue
        key = (each.process.number, each.name, each.caller)
        streak = streaks.setdefault(key, [])
        if each.error in usual or (streak and streak[0].error != each.error):
            streak.clear()
        if each.error not in usual:
            streak.append(each)
        if len(streak) == _FAILURES and key not in told:
            told.add(key)
            yield at(streak[0], "repeated_failures", "A call keeps failing",
                     f"{each.name} fails with {name(each.error)} {_FAILURES} times in a row")


def leaks(timeline: Timeline):
    """What is open when the process comes to its end."""
    for process in timeline.processes:
        if not process.recording.ended:
            continue
        for socket in timeline.sockets:
            is_open = socket.process is process and (socket.is_left or socket.end is None)
            if is_open and socket.made_by and not socket.made_by.is_systems:
                yield at(socket.made_by, "socket_leaked", "Socket never closed",
                         f"{socket.name}, made by {socket.made_by.name}, is open when the process, or its Winsock, ends",
                         "[closesocket/2]")
        for event in process.events.values():
            # Without ntke nobody sees what CloseHandle closes.
            if event.made_by.is_systems or process.recording.kernel != "ntke":
                continue
            yield at(event.made_by, "event_leaked", "Event never closed",
                     f"event {event.handle:x} is open when the process ends", "[WSACloseEvent/1]")


def startup_unbalanced(timeline: Timeline):
    """Each start takes one clean-up."""
    for process in timeline.processes:
        calls = [each for each in timeline.slices if each.process is process and not each.error and each.kind == "call"
                 and each.name in ("WSAStartup", "WSACleanup") and not each.is_systems]
        starts = [each for each in calls if each.name == "WSAStartup"]
        ends = sum(1 for each in calls if each.name == "WSACleanup")
        if process.recording.ended and len(starts) > ends:
            yield at(starts[-1], "startup_unbalanced", "WSAStartup without WSACleanup",
                     f"{len(starts)} calls of WSAStartup, {ends} of WSACleanup", "[WSACleanup/1]")


DETECTORS = (tiny_sends, polling, repeated_failures, leaks, startup_unbalanced)
