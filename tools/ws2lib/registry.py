"""Edits single values of a prefix's user.reg as text, so that every other byte stays what it was. Works
on bytes, and keys and names are as the file spells them (backslashes doubled): its encoding is Wine's own
business."""

import re


def _section(data: bytes, key: bytes) -> tuple[int, int] | None:
    """Where the section's lines are, from its header to before the blank line that ends it."""
    header = re.search(rb"^" + re.escape(b"[" + key + b"]") + rb"[^\n]*(?:\n|\Z)", data,
                       re.MULTILINE | re.IGNORECASE)
    if not header:
        return None
    following = re.search(rb"^\[", data[header.end():], re.MULTILINE)
    end = header.end() + following.start() if following else len(data)
    while end > header.end() and data[end - 1:end] == b"\n" and data[end - 2:end - 1] == b"\n":
        end -= 1
    return header.start(), end


def _line(data: bytes, key: bytes, name: bytes) -> re.Match | None:
    place = _section(data, key)
    if not place:
        return None
    return re.compile(rb'^"' + re.escape(name) + rb'"="((?:[^"\\]|\\.)*)"[^\n]*(?:\n|\Z)',
                      re.MULTILINE | re.IGNORECASE).search(data, place[0], place[1])


def get(data: bytes, key: bytes, name: bytes) -> bytes | None:
    """A text value of a key, or None."""
    found = _line(data, key, name)
    return found[1] if found else None


def line(data: bytes, key: bytes, name: bytes) -> bytes | None:
    """The line that sets a text value of a key, with its end, or None."""
    found = _line(data, key, name)
    return found[0] if found else None


def set_value(data: bytes, key: bytes, name: bytes, value: bytes) -> tuple[bytes, bytes | None, bool]:
    """Returns the file with the value set, the line that was there before (None if none), and
    whether the section had to be added."""
    new = b'"' + name + b'"="' + value + b'"\n'
    found = _line(data, key, name)
    if found:
        return data[:found.start()] + new + data[found.end():], found[0], False
    place = _section(data, key)
    if place:
        gap = b"" if data[:place[1]].endswith(b"\n") else b"\n"
        return data[:place[1]] + gap + new + data[place[1]:], None, False
    gap = b"" if data.endswith(b"\n") else b"\n"
    return data + gap + b"\n[" + key + b"]\n" + new, None, True


def restore(data: bytes, key: bytes, name: bytes, before: bytes | None, section_added: bool) -> bytes:
    """Takes a value of ours out of a file that has changed meanwhile: the line `before` comes back, or
    nothing does; a section that we had to add goes again if nothing else is in it."""
    found = _line(data, key, name)
    if not found:
        return data
    data = data[:found.start()] + (before or b"") + data[found.end():]
    place = _section(data, key)
    if section_added and not before and place:
        body = data[place[0]:place[1]].split(b"\n")[1:]
        if all(not text.strip() or text.startswith(b"#") for text in body):
            end = place[1]
            while data[end:end + 1] == b"\n":
                end += 1
            data = data[:place[0]] + data[end:]
            if end >= place[1] and not data[place[0]:]:
                data = data.rstrip(b"\n") + b"\n"
    return data
