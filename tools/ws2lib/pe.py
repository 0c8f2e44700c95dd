"""Just enough of the PE format to know what a file is: its machine and its version strings."""

import struct
from pathlib import Path

_MACHINES = {0x8664: "x86_64", 0x14C: "i386"}


def machine(path: Path) -> str | None:
    """"x86_64", "i386", or None for anything that is not such a program."""
    with open(path, "rb") as file:
        return machine_of(file)


def machine_of(file) -> str | None:
    """The same of an open one."""
    header = _header(file)
    return header and _MACHINES.get(struct.unpack_from("<H", header, 0)[0])


def time_stamp(path: Path) -> int | None:
    """When it was linked, in seconds since 1970; 0 when it does not say, None for what is no program."""
    with open(path, "rb") as file:
        header = _header(file)
    return header and struct.unpack_from("<I", header, 4)[0]


def _header(file) -> bytes | None:
    """The COFF header behind the signature."""
    start = file.read(64)
    if len(start) < 64 or start[:2] != b"MZ":
        return None
    file.seek(struct.unpack_from("<I", start, 60)[0])
    signature, header = file.read(4), file.read(20)
    return header if signature == b"PE\0\0" and len(header) == 20 else None


def version_string(path: Path, name: str) -> str | None:
    """A string of the version resource, such as ProductName. Found by its UTF-16 name, which is
    enough for files we have made or mean to tell from ours."""
    return version_string_of(path.read_bytes(), name)


def version_string_of(data: bytes, name: str) -> str | None:
    key = (name + "\0").encode("utf-16-le")
    at = data.find(key)
    if at < 0:
        return None
    at += len(key)
    while at + 1 < len(data) and data[at:at + 2] == b"\0\0":
        at += 2  # the value starts on a 4-byte boundary
    end = at
    while end + 1 < len(data) and data[end:end + 2] != b"\0\0":
        end += 2
    return data[at:end].decode("utf-16-le", "replace")
