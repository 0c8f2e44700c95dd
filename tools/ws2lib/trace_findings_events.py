"""Findings about network events and the events that tell them."""

from .timeline_model import (FD_ACCEPT, FD_CLOSE, FD_WRITE, RECEIVES, RESETS, SENDS, WAIT_TIMEOUT, WOULDBLOCK, Instant,
                             Slice, Socket, Timeline, fd_names)
from .trace_finding import at


def _waits_of(timeline: Timeline, socket: Socket) -> list[Slice]:
    """The waits for the socket's event of the time, in order."""
    events = {event for _, event, _ in socket.selected if event}
    found = {each.number: each for event in events for each in timeline.waits.get((socket.process.number, event), [])
             if each.begin >= socket.begin and (socket.end is None or each.begin < socket.end)
             and _selection(socket, each.begin)[0] in (each.handles or [each.subject])}
    return sorted(found.values(), key=lambda each: each.begin)


def _gave_up(each: Slice) -> bool:
    """A wait that nothing has ended."""
    return each.end is None or WAIT_TIMEOUT in (each.error, each.result & 0xFFFFFFFF)


def _selection(socket: Socket, time: int) -> tuple[int, int]:
    """Event and mask of a socket at a time."""
    found = (0, 0)
    for begin, event, mask in socket.selected:
        if begin <= time:
            found = (event, mask)
    return found


def _enumerations(socket: Socket):
    return [each for each in socket.items if isinstance(each, Slice) and each.name == "WSAEnumNetworkEvents"]


def fd_write_without_wouldblock(timeline: Timeline):
    """FD_WRITE comes once with the connection, and then only after a send that found no room."""
    for socket in timeline.sockets:
        for wait in _waits_of(timeline, socket):
            if _selection(socket, wait.begin)[1] & ~FD_CLOSE != FD_WRITE or not _gave_up(wait):
                continue
            told = blocked = 0
            for each in socket.items:
                if not isinstance(each, Slice) or each.begin > wait.begin:
                    continue
                if each.name == "WSAEnumNetworkEvents" and each.told & FD_WRITE:
                    told = each.begin
                elif each.name in SENDS and each.error == WOULDBLOCK:
                    blocked = each.begin
            if told > blocked:
                yield at(wait, "fd_write_without_wouldblock", "FD_WRITE awaited in vain",
                         f"{socket.name} waits for FD_WRITE, which has been told; it comes again only after a send "
                         "that fails with WSAEWOULDBLOCK", "[WSAEventSelect/36] [WSAEventSelect/38]")
                break


def fd_close_ignored(timeline: Timeline):
    """A program that is told of the end and goes on waiting at the socket never hears of it again."""
    for socket in timeline.sockets:
        told = next((each for each in _enumerations(socket) if each.told & FD_CLOSE), None)
        if not told:
            continue
        wait = next((each for each in _waits_of(timeline, socket) if each.begin > told.begin and _gave_up(each)), None)
        ends = {"closesocket", "shutdown", "DisconnectEx", "WSASendDisconnect"}
        if wait and not any(each.name in ends for each in socket.items
                            if isinstance(each, Slice) and told.begin < each.begin < wait.begin):
            yield at(told, "fd_close_ignored", "FD_CLOSE ignored",
                     f"{socket.name} was told of the end of its connection, and is waited for again, neither shut "
                     "down nor closed; FD_CLOSE comes once", "[WSAEventSelect/61]")


def event_reset_between_accepts(timeline: Timeline):
    """accept records the next connection and sets the event; who resets it then loses the signal."""
    for socket in timeline.sockets:
        accepted = None
        events = {event for _, event, mask in socket.selected if mask & FD_ACCEPT}
        resets = [each for event in events for each in timeline.resets.get((socket.process.number, event), [])]
        for each in sorted([*(item for item in socket.items if isinstance(item, Slice)), *resets],
                           key=lambda item: item.begin):
            if each.socket is socket and each.name in ("accept", "WSAAccept"):
                accepted = each if not each.error else None
            elif each.name == "WSAEnumNetworkEvents":
                accepted = None
            elif each.name in RESETS and accepted:
                event, mask = _selection(socket, each.begin)
                if event == each.subject and mask & FD_ACCEPT:
                    yield at(each, "event_reset_between_accepts", "Event reset between accepts",
                             f"the event of {socket.name} is reset after accept, which has set it for the next "
                             "connection: that one is never told. Reset it by WSAEnumNetworkEvents, before accept",
                             "[WSAEventSelect/24]")
                    break


def auto_reset_consumed_twice(timeline: Timeline):
    """The first wait takes the signal of an auto-reset event; only the record knows of it then."""
    for socket in timeline.sockets:
        if not socket.is_auto_reset:
            continue
        satisfied = None
        steps = [*_enumerations(socket), *_waits_of(timeline, socket)]
        for each in sorted(steps, key=lambda item: item.begin):
            if each.name == "WSAEnumNetworkEvents":
                satisfied = None
            elif satisfied and _gave_up(each):
                yield at(each, "auto_reset_consumed_twice", "Auto-reset event awaited twice",
                         f"the event of {socket.name} is auto-reset, and an earlier wait has taken its signal; "
                         "nobody has asked for the network events since", "[WSAEventSelect/20]")
                break
            elif not _gave_up(each) and each.ended_by == _selection(socket, each.begin)[0]:
                satisfied = each


def shared_event_hides(timeline: Timeline):
    """Sockets share an event; one is enumerated with it, another's record is never looked at."""
    for socket in timeline.sockets:
        recorded = [each for each in socket.items if isinstance(each, Instant) and each.kind == "recorded"
                    and each.values[2]]
        # One that reads at every signal, without asking, overlooks nothing.
        if not recorded or not socket.selected or any(
                isinstance(each, Slice) and each.begin > recorded[0].time
                and each.name in RECEIVES | {"accept", "WSAEnumNetworkEvents"} for each in socket.items):
            continue
        event = socket.selected[-1][1]
        for other in timeline.sockets:
            if other is socket or other.process is not socket.process:
                continue
            hiding = next((each for each in _enumerations(other) if each.values[0] == event
                           and each.begin > recorded[0].time), None)
            if hiding:
                yield at(hiding, "shared_event_hides", "Network events overlooked",
                         f"{other.name} shares the event of {socket.name}, and enumerating it resets the event for both; "
                         f"{fd_names(_selection(socket, hiding.begin)[1])} of {socket.name} is never asked for",
                         "[WSAEnumNetworkEvents/13]")
                break


DETECTORS = (fd_write_without_wouldblock, fd_close_ignored, event_reset_between_accepts, auto_reset_consumed_twice,
             shared_event_hides)
