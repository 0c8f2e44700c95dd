"""Findings about overlapped requests and completion ports."""

from .timeline_model import IO_PENDING, RECEIVES, REMOVALS, SENDS, Slice, Timeline
from .trace_finding import at

_ACCESS_VIOLATION = 0xC0000005
_STUCK = 1_000_000_000  # ns without a look at the port


def overlapped_reused(timeline: Timeline):
    """Both requests write their end into the same block."""
    pending: dict[tuple, list] = {}
    for request in timeline.requests:
        pending.setdefault((request.began.process.number, request.block), []).append(request)
    for each in timeline.slices:
        if each.kind != "call" or not each.overlapped or each.error not in (0, IO_PENDING) \
                or each.name not in RECEIVES | SENDS | {"AcceptEx", "ConnectEx", "DisconnectEx"}:
            continue
        for request in pending.get((each.process.number, each.overlapped), []):
            if request.call is not each and request.began.time < each.begin \
                    and (not request.ended or request.ended.time > each.begin):
                yield at(each, "overlapped_reused", "OVERLAPPED used again while pending",
                         f"{each.name} on {each.socket.name} is given the OVERLAPPED {each.overlapped:x} of a request "
                         "that has not completed; its end is lost", "[overlapped/3]")
                return


def buffer_freed(timeline: Timeline):
    """The end of a request found no memory any more."""
    for request in timeline.requests:
        if request.ended and request.ended.status & 0xFFFFFFFF == _ACCESS_VIOLATION and request.call:
            yield at(request.call, "buffer_freed_while_pending", "Buffer freed while a request was pending",
                     f"when {request.call.name} on {request.call.socket.name if request.call.socket else 'a file'} was to "
                     "complete, its buffer was not there any more", "[overlapped/55]")


def closed_with_requests(timeline: Timeline):
    """They are aborted, and still complete: their memory is needed until then."""
    requests: dict[int, list] = {}
    for request in timeline.requests:
        if request.began.socket:
            requests.setdefault(request.began.socket.number, []).append(request)
    for each in timeline.slices:
        if each.name != "closesocket" or not each.socket:
            continue
        open_now = [request for request in requests.get(each.socket.number, [])
                    if request.began.time < each.begin and (not request.ended or request.ended.time > each.begin)
                    and request.call and request.call.overlapped]
        if open_now:
            yield at(each, "closed_with_requests", "Closed with requests outstanding",
                     f"{each.socket.name} is closed while {len(open_now)} requests wait ({open_now[0].call.name}); they "
                     "complete as aborted, after closesocket", "[closesocket/9]")


def port_thread_lost(timeline: Timeline):
    """A thread that has taken a packet, and never comes back for the next, while others are there to take."""
    for process in timeline.processes:
        last: dict[tuple[int, int], Slice] = {}
        for each in timeline.slices:
            if each.process is process and each.name in REMOVALS:
                last[each.thread, each.subject] = each
        packets = [each for each in timeline.instants if each.process is process and each.kind == "packet"]
        for (thread, port), removal in last.items():
            took = removal.end is not None and any(
                each.thread == thread and removal.begin <= each.time <= removal.end for each in packets)
            waiting = [request for request in timeline.requests if request.ended and request.began.process is process
                       and removal.end is not None and request.ended.time > removal.end]
            if took and thread not in process.ended_threads and process.last - removal.end > _STUCK and waiting:
                yield at(removal, "port_thread_lost", "A port's thread does not come back",
                         f"thread {thread:x} took a packet of port {port:x} and has not asked for another in "
                         f"{(process.last - removal.end) / 1e9:.1f} s, while requests completed")


DETECTORS = (overlapped_reused, buffer_freed, closed_with_requests, port_thread_lost)
