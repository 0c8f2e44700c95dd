"""Just enough of the PE format to know what a file is: its machine and its version strings."""

import struct
from pathlib import Path

_MACHINES = {0x8664: "x86_64", 0x14C: "i386"}


def machine(path: Path) -> str | None:
    """"x86_64", "i386", or None for anything that is not such a program."""
    with open(path, "rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:2] != b"MZ":
            return None
        file.seek(struct.unpack_from("<I", header, 60)[0])
        signature = file.read(6)
    if len(signature) < 6 or signature[:4] != b"PE\0\0":
        return None
    return _MACHINES.get(struct.unpack_from("<H", signature, 4)[0])


def version_string(path: Path, name: str) -> str | None:
    """A string of the version resource, such as ProductName. Found by its UTF-16 name, which is
    enough for files we have made or mean to tell from ours."""
    data = path.read_bytes()
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
