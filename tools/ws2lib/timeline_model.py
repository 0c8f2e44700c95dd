"""What happened in one or more processes: calls with their ends, sockets with their lives, and arrows from causes to
effects. timeline_build makes it of what they have recorded."""

import sys
from dataclasses import dataclass, field
from functools import cached_property

from .timeline_file import Recording

RECEIVES = frozenset("recv recvfrom WSARecv WSARecvFrom WSARecvMsg".split())
SENDS = frozenset("send sendto WSASend WSASendTo WSASendMsg TransmitFile TransmitPackets".split())
WAITS = frozenset("WSAWaitForMultipleEvents NtWaitForSingleObject NtWaitForMultipleObjects "
                  "NtSignalAndWaitForSingleObject NtUserMsgWaitForMultipleObjectsEx".split())
RESETS = frozenset("WSAResetEvent NtResetEvent NtClearEvent".split())
REMOVALS = frozenset("NtRemoveIoCompletion NtRemoveIoCompletionEx".split())

# Bits of a network event, as WSAEventSelect has them.
FD_NAMES = {1: "FD_READ", 2: "FD_WRITE", 4: "FD_OOB", 8: "FD_ACCEPT", 16: "FD_CONNECT", 32: "FD_CLOSE"}
FD_READ, FD_WRITE, FD_ACCEPT, FD_CLOSE = 1, 2, 8, 32

WOULDBLOCK, IO_INCOMPLETE, IO_PENDING = 10035, 996, 997
WAIT_TIMEOUT = 258


def fd_names(mask: int) -> str:
    return "|".join(name for bit, name in FD_NAMES.items() if mask & bit) or "none"


@dataclass(eq=False, slots=True)
class Slice:
    """A call or a service, from its begin to its end. Times are ns; `end` is None where it never ended."""
    number: int
    process: "Process"
    thread: int
    kind: str                       # "call" or "service"
    name: str
    begin: int
    subject: int
    values: tuple
    parent: "Slice | None"
    end: int | None = None
    result: int = 0
    told: int = 0                   # what it has written: bytes, network events
    error: int = 0
    socket: "Socket | None" = None
    text: str = ""                  # a name or address that it was given
    handles: list[int] = field(default_factory=list)
    asked: "list[Socket]" = field(default_factory=list)  # of select and WSAPoll
    requests: int = 0               # to the host, that ntke made of it
    request_time: int = 0           # ns
    ended_by: int | None = None     # of a wait: the handle

    @property
    def is_systems(self) -> bool:
        """Has a library of the system called, and not the program or a library of its own?"""
        path = self.process.recording.module(self.caller).replace("\\", "/").lower()
        return "/windows/system32/" in path or "/windows/syswow64/" in path

    @property
    def place(self) -> str:
        return self.process.recording.place(self.values[3]) if self.kind == "call" else ""

    @property
    def caller(self) -> int:
        return self.values[3] if self.kind == "call" else 0

    @property
    def overlapped(self) -> int:
        return self.values[2] if self.kind == "call" else 0

    @property
    def bytes(self) -> int:
        """That it has moved."""
        if self.end is None or self.error:
            return 0
        if self.name in ("recv", "recvfrom", "send", "sendto"):
            return self.result & 0x7FFFFFFF
        return self.told if self.name in RECEIVES or self.name in SENDS else 0

    @property
    def outermost(self) -> "Slice":
        return self.parent.outermost if self.parent else self


@dataclass(eq=False, slots=True)
class Instant:
    """Something at one moment."""
    number: int
    process: "Process"
    thread: int
    kind: str
    name: str                       # for readers
    time: int
    socket: "Socket | None"
    parent: Slice | None            # in which it happened
    values: tuple
    status: int
    subject: int


@dataclass(eq=False)
class Socket:
    """One socket, from its making to its end, or as far as the recording knows it."""
    number: int
    process: "Process"
    handle: int
    begin: int
    made_by: Slice | None
    end: int | None = None
    states: list[tuple[int, str]] = field(default_factory=list)
    received: int = 0
    sent: int = 0
    event: int = 0                  # that it is selected with
    mask: int = 0
    selected: list[tuple[int, int, int]] = field(default_factory=list)  # time, event, mask
    is_auto_reset: bool = False
    is_left: bool = False           # WSACleanup had to close it
    pending: dict[int, "Request"] = field(default_factory=dict)
    items: list = field(default_factory=list)  # Slices and Instants, in order

    def enter(self, time: int, state: str) -> None:
        if not self.states or self.states[-1][1] != state:
            self.states.append((time, state))

    @property
    def name(self) -> str:
        return f"socket {self.handle:x}"


@dataclass(eq=False)
class Request:
    """An overlapped request that waits."""
    block: int
    call: Slice | None
    began: Instant
    ended: Instant | None = None


@dataclass(eq=False)
class Event:
    """A WSAEVENT that was made by WSACreateEvent."""
    handle: int
    made_by: Slice
    end: int | None = None


@dataclass(eq=False)
class Process:
    """One recording, and what was alive in it."""
    recording: Recording
    offset: int                     # ns by which its clock is behind the first one's
    number: int                     # the system's, made different where a process has got that of an earlier one
    sockets: dict[int, Socket] = field(default_factory=dict)  # by handle, those alive
    events: dict[int, Event] = field(default_factory=dict)
    ended_events: list[Event] = field(default_factory=list)
    ended_threads: set[int] = field(default_factory=set)
    last: int = 0

    @property
    def whole_from(self) -> int:
        """What was recorded before may lack its causes or its end; without some of the threads all may."""
        if self.recording.lost_threads:
            return sys.maxsize
        return self.recording.whole_from + self.offset

    @property
    def program(self) -> str:
        return self.recording.program.replace("\\", "/").rpartition("/")[2]


@dataclass
class Timeline:
    """Everything, in order of time."""
    processes: list[Process] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    instants: list[Instant] = field(default_factory=list)
    sockets: list[Socket] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    arrows: list[tuple] = field(default_factory=list)  # cause, effect: Slices and Instants
    _count: int = 0

    def number(self) -> int:
        self._count += 1
        return self._count

    @cached_property
    def waits(self) -> dict[tuple[int, int], list[Slice]]:
        """The outermost waits, by process and handle."""
        return self._by_handle(lambda each: each.name in WAITS, lambda each: each.handles or [each.subject])

    @cached_property
    def resets(self) -> dict[tuple[int, int], list[Slice]]:
        """Resets of events by hand, by process and handle."""
        return self._by_handle(lambda each: each.name in RESETS, lambda each: [each.subject])

    def _by_handle(self, is_meant, handles_of) -> dict:
        found: dict[tuple[int, int], list[Slice]] = {}
        for each in self.slices:
            if not each.parent and is_meant(each):
                for handle in dict.fromkeys(handles_of(each)):
                    found.setdefault((each.process.number, handle), []).append(each)
        return found
