"""Reads the file that a process has recorded itself to (include/ntke/timeline.h)."""

import datetime
import ipaddress
import struct
from dataclasses import dataclass, field
from pathlib import Path

from .ui import Failure

_MAGIC = b"ws2time1"
_RINGS, _NAMES, _MODULES = 128, 320, 64
_FIXED = struct.Struct("<8sII QQQQ IIIHH 256s")
_NAME, _MODULE, _RING, _ENTRY = 48, struct.Struct("<QQ112s"), struct.Struct("<IIQ"), struct.Struct("<QIHHQ40s")
_NAMES_AT = _FIXED.size
_MODULES_AT = _NAMES_AT + _NAMES * _NAME
_RINGS_AT = _MODULES_AT + _MODULES * _MODULE.size
_ENTRIES_AT = _RINGS_AT + _RINGS * _RING.size
_VALUES = struct.Struct("<4QiI")
_EPOCH = 116444736000000000  # 1970 in 100 ns since 1601

# The kinds of entries, in the order of the header.
KINDS = ("nothing", "call", "return", "text", "address", "handles", "service", "service_end", "host", "recorded",
         "selected", "packet", "handed_over", "fault", "pended", "completed")

_NAMED = frozenset(("call", "return", "text", "address", "service", "service_end", "host", "fault"))


@dataclass(slots=True)
class Entry:
    """One thing that happened; `time` is in ns from the beginning of the recording."""
    time: int
    thread: int
    kind: str
    name: str
    subject: int
    values: tuple
    status: int
    detail: int
    raw: bytes

    @property
    def text(self) -> str:
        return self.raw.split(b"\0")[0].decode(errors="replace")

    @property
    def address(self) -> str:
        """A sockaddr with Windows' numbers."""
        family, port = struct.unpack_from("<H", self.raw)[0], struct.unpack_from(">H", self.raw, 2)[0]
        if family == 2:
            return f"{ipaddress.IPv4Address(self.raw[4:8])}:{port}"
        if family == 23:
            return f"[{ipaddress.IPv6Address(self.raw[8:24])}]:{port}"
        return f"family {family}"


@dataclass
class Recording:
    """What one process has recorded."""
    path: Path
    process: int
    program: str
    kernel: str
    began: datetime.datetime
    origin: int                  # ns since 1970 of time 0
    entries: list[Entry]
    lost_entries: int            # of all threads, the oldest
    whole_from: int              # ns; before that something is lost
    lost_threads: int            # that found no room
    ended: bool                  # it came to its own end, and was not killed
    modules: list[tuple[int, int, str]] = field(default_factory=list)

    def module(self, address: int) -> str:
        """The path of the module that an address lies in, or nothing."""
        return next((path for base, size, path in self.modules if base <= address < base + size), "")

    def place(self, address: int) -> str:
        """Module and offset of an address that a call returns to."""
        for base, size, path in self.modules:
            if base <= address < base + size:
                return f"{path.replace(chr(92), '/').rpartition('/')[2]}+{address - base:#x}"
        return f"{address:#x}"


def read(path: Path) -> Recording:
    """Decodes a file. Failure: it is none, or is not whole."""
    # Only what was written is on disk; a hole reads as zeros, which are entries of nothing.
    with open(path, "rb") as file:
        head = file.read(_ENTRIES_AT)
        if len(head) < _ENTRIES_AT or head[:8] != _MAGIC:
            raise Failure(f"{path} is no recording of ws2_32.dll, or of another version of it")
        (_, process, per_ring, ticks, time, end_ticks, end_time, _, modules_used, lost_threads, is_on_ntke,
         has_ended, program) = _FIXED.unpack_from(head)
        names = [_string(head[_NAMES_AT + i * _NAME:][:_NAME]) for i in range(_NAMES)]
        modules = [(base, size, _string(name)) for base, size, name in
                   _MODULE.iter_unpack(head[_MODULES_AT:_RINGS_AT])][:min(modules_used, _MODULES)]
        rate = (end_time - time) * 100 / max(end_ticks - ticks, 1)
        raw, lost, whole_from = [], 0, ticks
        for index, (_, _, count) in enumerate(_RING.iter_unpack(head[_RINGS_AT:])):
            lost += max(0, count - per_ring)
            file.seek(_ENTRIES_AT + index * per_ring * _ENTRY.size)
            block = file.read(min(count, per_ring) * _ENTRY.size)
            whole = list(_ENTRY.iter_unpack(block[:len(block) // _ENTRY.size * _ENTRY.size]))
            start = count % per_ring if count > per_ring else 0
            whole = whole[start:] + whole[:start]
            if count > per_ring and whole:
                whole_from = max(whole_from, whole[0][0])
            raw.extend(whole)
    entries = [_entry(each, ticks, rate, names) for each in raw if 0 < each[2] < len(KINDS)]
    # What one thread writes is in order already, also where the clock did not move.
    entries.sort(key=lambda entry: entry.time)
    origin = (time - _EPOCH) * 100
    began = datetime.datetime.fromtimestamp(origin / 1e9, datetime.timezone.utc)
    return Recording(path, process, _string(program), "ntke" if is_on_ntke else "host", began, origin, entries, lost,
                     round((whole_from - ticks) * rate),
                     lost_threads, bool(has_ended), modules)


def _string(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode(errors="replace")


def _entry(raw: tuple, ticks: int, rate: float, names: list[str]) -> Entry:
    time, thread, kind, name, subject, content = raw
    values = _VALUES.unpack(content)
    if KINDS[kind] == "host":
        values = (round(values[0] * rate), *values[1:])
    has_name = KINDS[kind] in _NAMED and name < _NAMES
    return Entry(round((time - ticks) * rate), thread, KINDS[kind], names[name] if has_name else "", subject,
                 values[:4], values[4], values[5], content)
