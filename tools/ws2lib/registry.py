"""Edits one value of a prefix's user.reg as text, so that every other byte stays what it was. Works
on bytes: the file's encoding is Wine's own business."""

import re

SECTION = rb"[Software\\Wine\\DllOverrides]"  # as user.reg spells it, with doubled backslashes


def _section(data: bytes) -> tuple[int, int] | None:
    """Where the section's lines are, from its header to before the blank line that ends it."""
    header = re.search(rb"^" + re.escape(SECTION) + rb"[^\n]*(?:\n|\Z)", data,
                       re.MULTILINE | re.IGNORECASE)
    if not header:
        return None
    following = re.search(rb"^\[", data[header.end():], re.MULTILINE)
    end = header.end() + following.start() if following else len(data)
    while end > header.end() and data[end - 1:end] == b"\n" and data[end - 2:end - 1] == b"\n":
        end -= 1
    return header.start(), end


def _line(data: bytes, name: bytes) -> re.Match | None:
    place = _section(data)
    if not place:
        return None
    return re.compile(rb'^"' + re.escape(name) + rb'"="((?:[^"\\]|\\.)*)"[^\n]*(?:\n|\Z)',
                      re.MULTILINE | re.IGNORECASE).search(data, place[0], place[1])


def get(data: bytes, name: bytes) -> bytes | None:
    """The override of a DLL, or None."""
    line = _line(data, name)
    return line[1] if line else None


def set_value(data: bytes, name: bytes, value: bytes) -> tuple[bytes, bytes | None, bool]:
    """Returns the file with the override set, the line that was there before (None if none), and
    whether the section had to be added."""
    new = b'"' + name + b'"="' + value + b'"\n'
    line = _line(data, name)
    if line:
        return data[:line.start()] + new + data[line.end():], line[0], False
    place = _section(data)
    if place:
        gap = b"" if data[:place[1]].endswith(b"\n") else b"\n"
        return data[:place[1]] + gap + new + data[place[1]:], None, False
    gap = b"" if data.endswith(b"\n") else b"\n"
    return data + gap + b"\n" + SECTION + b"\n" + new, None, True


def restore(data: bytes, name: bytes, line: bytes | None, section_added: bool) -> bytes:
    """Takes our override out of a file that has changed meanwhile: `line` comes back, or nothing does;
    a section that we had to add goes again if nothing else is in it."""
    found = _line(data, name)
    if not found:
        return data
    data = data[:found.start()] + (line or b"") + data[found.end():]
    place = _section(data)
    if section_added and not line and place:
        body = data[place[0]:place[1]].split(b"\n")[1:]
        if all(not text.strip() or text.startswith(b"#") for text in body):
            end = place[1]
            while data[end:end + 1] == b"\n":
                end += 1
            data = data[:place[0]] + data[end:]
            if end >= place[1] and not data[place[0]:]:
                data = data.rstrip(b"\n") + b"\n"
    return data
