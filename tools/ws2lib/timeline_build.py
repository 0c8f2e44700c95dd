"""Makes a timeline of the entries that processes have recorded."""

import itertools

from .timeline_file import Entry, Recording
from .timeline_model import (FD_ACCEPT, FD_CLOSE, FD_NAMES, FD_READ, FD_WRITE, RECEIVES, SENDS, WAITS, WOULDBLOCK, Event,
                             Instant, Process, Request, Slice, Socket, Timeline, fd_names)

# Calls whose first argument is a socket.
_OF_SOCKET = frozenset("""accept bind closesocket connect getpeername getsockname getsockopt ioctlsocket listen recv
    recvfrom send sendto setsockopt shutdown AcceptEx ConnectEx DisconnectEx TransmitFile TransmitPackets WSAAccept
    WSAConnect WSAConnectByList WSAConnectByNameA WSAConnectByNameW WSADuplicateSocketA WSADuplicateSocketW
    WSAEnumNetworkEvents WSAEventSelect WSAAsyncSelect WSAGetOverlappedResult WSAIoctl WSAJoinLeaf WSARecv
    WSARecvDisconnect WSARecvFrom WSARecvMsg WSASend WSASendDisconnect WSASendMsg WSASendTo""".split())
_MAKES_SOCKET = frozenset("socket WSASocketA WSASocketW accept WSAAccept WSAJoinLeaf".split())
_ASKS = frozenset(("select", "WSAPoll"))
# Services of files, of which sockets are some.
_OF_FILE = frozenset("NtDeviceIoControlFile NtReadFile NtWriteFile NtCancelIoFile NtCancelIoFileEx "
                     "NtSetInformationFile".split())
_OPENS = frozenset(("NtOpenFile", "NtCreateFile"))
_ITSELF = (0, 0xFFFFFFFE, 0xFFFFFFFF)  # handles by which a thread, or a process, means itself
# Network events by the conditions of the device.
_FD_OF_POLL = {0x1: 1, 0x2: 4, 0x4: 2, 0x8: 32, 0x10: 32, 0x40: 16, 0x80: 8, 0x100: 16}
_FAILED_STATUS = 0xC0000000


def build(recordings: list[Recording]) -> Timeline:
    timeline = Timeline()
    first = min((recording.origin for recording in recordings), default=0)
    for recording in sorted(recordings, key=lambda each: each.origin):
        _Reader(timeline, Process(recording, recording.origin - first, _unused(timeline, recording.process))).read()
    # The end of one that is older may be lost.
    timeline.requests = [each for each in timeline.requests
                         if each.ended or each.began.time >= each.began.process.whole_from]
    timeline.slices.sort(key=lambda each: each.begin)
    timeline.instants.sort(key=lambda each: each.time)
    return timeline


def _unused(timeline: Timeline, number: int) -> int:
    """A process' number; where an earlier one had it, with another in front of it."""
    used = {process.number for process in timeline.processes}
    return next(each for each in itertools.count(number, 0x10000) if each not in used)


class _Reader:
    """Goes through the entries of one process."""

    def __init__(self, timeline: Timeline, process: Process):
        self._timeline = timeline
        self._process = process
        self._stacks: dict[int, list[Slice]] = {}
        self._newest: dict[int, Slice] = {}          # of each thread, begun last
        self._sets: dict[int, object] = {}           # by event: what has set it last
        self._requests: dict[int, Request] = {}      # by status block
        self._issued: dict[int, object] = {}         # by OVERLAPPED: what its packet will be the effect of
        self._waited: dict[tuple[int, int], Slice] = {}  # by thread and event: a wait that it has ended
        self._told: dict[tuple[int, int, int], Slice] = {}  # by thread, socket and network event: the enumeration
        self._recorded: dict[tuple[int, int], list[Instant]] = {}  # by socket and event, not yet enumerated

    def read(self) -> None:
        self._timeline.processes.append(self._process)
        handlers = {"call": self._begin, "service": self._begin, "return": self._return, "service_end": self._end_service,
                    "text": self._detail, "address": self._detail, "handles": self._detail, "host": self._host,
                    "recorded": self._record, "selected": self._select, "pended": self._pend,
                    "completed": self._complete, "packet": self._packet, "handed_over": self._hand_over,
                    "fault": self._fault}
        for entry in self._process.recording.entries:
            self._process.last = self._time(entry)
            handler = handlers.get(entry.kind)
            if handler:
                handler(entry)

    def _time(self, entry: Entry) -> int:
        return entry.time + self._process.offset

    def _top(self, thread: int) -> Slice | None:
        stack = self._stacks.get(thread)
        return stack[-1] if stack else None

    # --- Calls

    def _begin(self, entry: Entry) -> None:
        stack = self._stacks.setdefault(entry.thread, [])
        if entry.name in _OPENS and not stack:
            return  # of the program's own files
        self._process.ended_threads.discard(entry.thread)  # the number is another thread's
        each = Slice(self._timeline.number(), self._process, entry.thread, entry.kind, entry.name, self._time(entry),
                     entry.subject, entry.values, stack[-1] if stack else None)
        if entry.name in _OF_SOCKET:
            each.socket = self._socket(entry.subject, each.begin)
        elif entry.name in _OF_FILE:
            each.socket = self._process.sockets.get(entry.subject)
        if each.overlapped and each.socket and entry.name not in ("WSAGetOverlappedResult", "WSAEventSelect"):
            self._issued[each.overlapped] = each
        stack.append(each)
        self._newest[entry.thread] = each
        self._timeline.slices.append(each)
        if each.socket:
            each.socket.items.append(each)
        if entry.name in ("NtTerminateThread", "NtTerminateProcess") and entry.subject & 0xFFFFFFFF in _ITSELF:
            self._end_thread(entry.thread, each.begin)

    def _end_thread(self, thread: int, time: int) -> None:
        self._process.ended_threads.add(thread)
        for each in self._stacks.pop(thread, []):
            each.end = time

    def _detail(self, entry: Entry) -> None:
        each = self._newest.get(entry.thread)
        if not each:
            return
        if entry.kind == "text":
            each.text = entry.text
        elif entry.kind == "address":
            each.text = entry.address
        else:
            each.handles += entry.values[:entry.subject]
            for socket in map(self._process.sockets.get, entry.values[:entry.subject]):
                if socket and each.name in _ASKS and socket not in each.asked:
                    each.asked.append(socket)
                    socket.items.append(each)

    def _host(self, entry: Entry) -> None:
        each = self._top(entry.thread)
        while each:
            each.requests += 1
            each.request_time += entry.values[0]
            each = each.parent

    def _pop(self, entry: Entry, kind: str) -> Slice | None:
        """The slice that ends, with those in it whose end was lost, or never came."""
        stack = self._stacks.get(entry.thread, [])
        for index in range(len(stack) - 1, -1, -1):
            if stack[index].kind == kind and stack[index].name == entry.name:
                each = stack[index]
                del stack[index:]
                each.end = self._time(entry)
                return each
        return None

    def _return(self, entry: Entry) -> None:
        each = self._pop(entry, "call")
        if not each:
            return
        each.result, each.told, each.error = entry.values[0], entry.values[1], entry.status
        if each.name in _MAKES_SOCKET and not each.error:
            self._make_socket(each)
        if each.name in ("WSASetEvent", "WSAResetEvent") and not each.error:
            self._change_event(each, each.subject)
        elif each.name == "WSACreateEvent" and not each.error:
            self._process.events[each.result] = Event(each.result, each)
        elif each.name == "WSACloseEvent" and not each.error:
            self._end_event(each.subject, each.end)
        elif each.name in WAITS:
            self._end_wait(each, each.result & 0xFFFFFFFF)
        if each.socket:
            self._of_socket(each, each.socket)

    def _end_service(self, entry: Entry) -> None:
        each = self._pop(entry, "service")
        if not each:
            return
        each.error = entry.status & 0xFFFFFFFF
        if each.name in ("NtSetEvent", "NtResetEvent", "NtClearEvent") and not each.parent:
            self._change_event(each, each.subject)
        elif each.name == "NtClose" and not each.error:
            self._end_event(each.subject, each.end)
            socket = self._process.sockets.get(each.subject)
            if socket and (not each.parent or each.outermost.name == "WSACleanup"):
                socket.is_left = bool(each.parent)
                self._end_socket(each.subject, each.end)
        elif each.name in WAITS and each.error < _FAILED_STATUS:
            if each.name == "NtWaitForSingleObject":
                each.handles = [each.subject]
            self._end_wait(each, each.error)

    # --- Sockets

    def _socket(self, handle: int, time: int) -> Socket:
        known = self._process.sockets.get(handle)
        return known or self._add_socket(handle, time, None)

    def _add_socket(self, handle: int, time: int, made_by: Slice | None) -> Socket:
        self._end_socket(handle, time)
        socket = Socket(self._timeline.number(), self._process, handle, time, made_by)
        self._process.sockets[handle] = socket
        self._timeline.sockets.append(socket)
        return socket

    def _end_socket(self, handle: int, time: int) -> None:
        socket = self._process.sockets.pop(handle, None)
        if socket:
            socket.end = time
            socket.enter(time, "closed")

    def _make_socket(self, each: Slice) -> None:
        listener = each.socket
        socket = self._add_socket(each.result, each.end, each)
        socket.enter(each.end, "connected" if listener else "open")
        if listener:
            socket.event, socket.mask, socket.is_auto_reset = listener.event, listener.mask, listener.is_auto_reset
            socket.selected.append((each.end, socket.event, socket.mask))
        if not each.socket:
            each.socket = socket
        socket.items.append(each)

    def _of_socket(self, each: Slice, socket: Socket) -> None:
        """What a call that has ended means for its socket."""
        if each.error:
            if each.name in ("connect", "WSAConnect") and each.error == WOULDBLOCK:
                socket.enter(each.end, "connecting")
            return
        if each.name in RECEIVES:
            socket.received += each.bytes
            self._arrow(self._told.pop((each.thread, socket.number, FD_READ), None), each)
        elif each.name in SENDS:
            socket.sent += each.bytes
            self._arrow(self._told.pop((each.thread, socket.number, FD_WRITE), None), each)
        elif each.name in ("accept", "WSAAccept"):
            self._arrow(self._told.pop((each.thread, socket.number, FD_ACCEPT), None), each)
        elif each.name == "closesocket":
            self._arrow(self._told.pop((each.thread, socket.number, FD_CLOSE), None), each)
            self._end_socket(socket.handle, each.end)
        elif each.name == "bind":
            socket.enter(each.end, f"bound to {each.text}")
        elif each.name == "listen":
            socket.enter(each.end, "listening")
        elif each.name in ("connect", "WSAConnect"):
            socket.enter(each.end, f"connected to {each.text}")
        elif each.name == "shutdown":
            socket.enter(each.end, ("receives", "sends", "both")[each.values[0] % 3] + " shut down")
        elif each.name == "WSAEventSelect":
            socket.event, socket.mask = each.values[0], each.values[1] & 0x3FF
            socket.selected.append((each.begin, socket.event, socket.mask))
        elif each.name == "WSAEnumNetworkEvents":
            self._enumerate(each, socket)

    def _enumerate(self, each: Slice, socket: Socket) -> None:
        if not each.told:
            return
        self._arrow(self._waited.pop((each.thread, socket.event), None), each)
        for bit in FD_NAMES:
            if each.told & bit:
                self._told[each.thread, socket.number, bit] = each
                for instant in self._recorded.pop((socket.number, bit), [])[-1:]:
                    self._arrow(instant, each)

    # --- Events, waits

    def _change_event(self, each: Slice, handle: int) -> None:
        if "Set" in each.name:
            self._sets[handle] = each

    def _end_event(self, handle: int, time: int) -> None:
        event = self._process.events.pop(handle, None)
        if event:
            event.end = time
            self._process.ended_events.append(event)

    def _end_wait(self, each: Slice, status: int) -> None:
        handles = each.handles or [handle for inner in (self._newest.get(each.thread),) if inner and inner.parent is each
                                   for handle in inner.handles]
        each.handles = handles
        if status >= len(handles):
            return
        each.ended_by = handles[status]
        if each.parent and each.parent.name in WAITS:
            return  # told of the call that it is part of
        self._arrow(self._sets.pop(each.ended_by, None), each)
        self._waited[each.thread, each.ended_by] = each

    def _arrow(self, cause, effect) -> None:
        if cause is not None:
            self._timeline.arrows.append((cause, effect))

    # --- What ntke tells

    def _instant(self, entry: Entry, name: str, socket: Socket | None) -> Instant:
        each = Instant(self._timeline.number(), self._process, entry.thread, entry.kind, name, self._time(entry),
                       socket, self._top(entry.thread), entry.values, entry.status, entry.subject)
        self._timeline.instants.append(each)
        if socket:
            socket.items.append(each)
        return each

    def _record(self, entry: Entry) -> None:
        socket = self._process.sockets.get(entry.subject)
        events = _fd_of_poll(entry.values[0])
        each = self._instant(entry, f"{fd_names(events)} recorded", socket)
        if not socket:
            return
        if events & 16 and not entry.status:
            socket.enter(each.time, "connected")
        if entry.values[2]:
            self._sets[socket.event] = each
        for bit in FD_NAMES:
            if events & bit:
                self._recorded.setdefault((socket.number, bit), []).append(each)

    def _select(self, entry: Entry) -> None:
        socket = self._process.sockets.get(entry.subject)
        if socket:
            socket.is_auto_reset = bool(entry.values[1])

    def _pend(self, entry: Entry) -> None:
        top = self._top(entry.thread)
        socket = top.socket or top.outermost.socket if top else None
        each = self._instant(entry, "request pends", socket)
        request = Request(entry.subject, top.outermost if top else None, each)
        self._timeline.requests.append(request)
        self._requests[entry.subject] = request
        if socket:
            socket.pending[entry.subject] = request

    def _complete(self, entry: Entry) -> None:
        request = self._requests.pop(entry.subject, None)
        socket = request.began.socket if request else None
        each = self._instant(entry, "request completed", socket)
        if not request:
            return
        request.ended = each
        self._arrow(request.began, each)
        self._connect(request.call, each)
        self._issued[entry.values[0] or entry.subject] = each
        if socket:
            socket.pending.pop(entry.subject, None)
            if request.call and not entry.status and request.call.kind == "call" and request.call.overlapped:
                if request.call.name in RECEIVES:
                    socket.received += entry.values[1]
                elif request.call.name in SENDS:
                    socket.sent += entry.values[1]
        top = request.began.parent
        if top and top.kind == "service" and top.values[0]:
            self._sets[top.values[0] & ~1] = each

    def _packet(self, entry: Entry) -> None:
        cause = self._issued.pop(entry.values[0], None)
        each = self._instant(entry, "packet", cause.socket if cause else None)
        self._arrow(cause, each)
        self._connect(cause, each)

    def _connect(self, call, end: Instant) -> None:
        """The end of a request may have connected a socket."""
        if not isinstance(call, Slice) or end.status:
            return
        if call.name == "ConnectEx" and call.socket:
            call.socket.enter(end.time, f"connected to {call.text}")
        elif call.name == "AcceptEx" and call.values[0] in self._process.sockets:
            self._process.sockets[call.values[0]].enter(end.time, "connected")

    def _hand_over(self, entry: Entry) -> None:
        socket = self._process.sockets.get(entry.subject)
        self._instant(entry, f"handed over to the host: {entry.text}", socket)

    def _fault(self, entry: Entry) -> None:
        self._instant(entry, f"fault in {entry.name}", self._process.sockets.get(entry.subject))


def _fd_of_poll(flags: int) -> int:
    """Network events of conditions of the device."""
    mask = 0
    for poll, event in _FD_OF_POLL.items():
        mask |= event if flags & poll else 0
    return mask
