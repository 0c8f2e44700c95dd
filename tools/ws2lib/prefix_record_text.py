"""What a record says, and how it is written: a line per fact, of words with one space between them, so that
release/setup.sh reads and writes it as well. In a word a byte that is no printable ASCII, and `%`, is `%` and
two hexadecimal digits; `-` alone stands for nothing.

  ws2_32 5
  file NAME ORIGINAL SAVED OURS...     Entry
  edit KEY NAME VALUE LINE yes|no      Edit
  pair NAME IDENTITY                   Record.ntke
  keep NAME                            Record.keeping
  new NAME IDENTITY                    Record.new
  end

Whoever owns the prefix can write what he likes into a record, and root may read it. So all it can do is
name files of prefix_layout.
"""

import os
import re
from dataclasses import dataclass, field

from . import prefix_layout as layout
from .prefix_files import LINK

_FIRST, _LAST = "ws2_32 5", "end"
_WORD = re.compile(r"(?:[!-$&-~]|%[0-9A-F]{2})+")
_NOTHING = "-"


@dataclass
class Entry:
    """One replaced file. Identities are those of Folder.identity()."""
    original: str | None  # what was there
    saved: str | None  # its name in SAVED; None: there was nothing to save
    ours: list[str] = field(default_factory=list)  # every file of ours that has been put there


@dataclass
class Edit:
    """One value set in user.reg. Text is the file's bytes, each a character."""
    key: str
    name: str
    value: str
    line: str | None  # the line that was there for it
    section_added: bool


@dataclass
class Record:
    """Of user.reg, Entry.ours has the files that differ from the original by nothing but our edits."""
    files: dict[str, Entry] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    ntke: dict[str, str] = field(default_factory=dict)  # the pair: name of paths.NTKE_FILES, identity
    keeping: list[str] = field(default_factory=list)  # files whose originals this very install saves
    new: dict[str, str] = field(default_factory=dict)  # identity of each file this very install replaces by


# --- Writing

def written(record: Record) -> bytes:
    lines = [_FIRST]
    for name, entry in record.files.items():
        lines.append(" ".join(["file", name, _identity(entry.original), entry.saved or _NOTHING,
                               *map(_identity, entry.ours)]))
    for edit in record.edits:
        words = [_word(None if text is None else text.encode("latin-1")) for text in (edit.key, edit.name, edit.value, edit.line)]
        lines.append(" ".join(["edit", *words, "yes" if edit.section_added else "no"]))
    lines += [f"pair {name} {_identity(identity)}" for name, identity in record.ntke.items()]
    lines += [f"keep {name}" for name in record.keeping]
    lines += [f"new {name} {_identity(identity)}" for name, identity in record.new.items()]
    return "\n".join([*lines, _LAST, ""]).encode("ascii")


def _identity(identity: str | None) -> str:
    return _word(None if identity is None else os.fsencode(identity))


def _word(data: bytes | None) -> str:
    if data is None:
        return _NOTHING
    text = "".join(chr(byte) if 0x20 < byte < 0x7f and byte != ord("%") else f"%{byte:02X}" for byte in data)
    return f"%{ord(text):02X}" if text == _NOTHING else text


# --- Reading

def read(data: bytes) -> Record:
    """Raises ValueError for what is no record."""
    first, *lines = data.decode("ascii").split("\n")
    if first != _FIRST:
        raise ValueError(f"it begins with {first[:40]!r}; another version of ws2 may know what that is")
    _demand(lines[-2:] == [_LAST, ""], "its end is missing")
    record = Record()
    for line in lines[:-2]:
        kind, *words = line.split(" ")
        _demand(kind in _KINDS and all(_WORD.fullmatch(word) for word in words), f"{line[:60]!r} says nothing")
        _KINDS[kind](record, *words)
    check(record)
    return record


def _add_file(record: Record, name: str, original: str, saved: str, *ours: str) -> None:
    _demand(name not in record.files, f"{name!r} is there twice")
    record.files[name] = Entry(_read_identity(original), None if saved == _NOTHING else saved,
                               [_read_identity(word) for word in ours])


def _add_edit(record: Record, *words: str) -> None:
    *texts, added = words
    _demand(len(texts) == 4 and added in ("yes", "no"), "an edit is none")
    texts = [_bytes(word) and _bytes(word).decode("latin-1") for word in texts]
    record.edits.append(Edit(*texts, added == "yes"))


def _add_pair(record: Record, name: str, identity: str) -> None:
    record.ntke[name] = _read_identity(identity)


def _add_new(record: Record, name: str, identity: str) -> None:
    record.new[name] = _read_identity(identity)


_KINDS = {"file": _add_file, "edit": _add_edit, "pair": _add_pair, "new": _add_new,
          "keep": lambda record, name: record.keeping.append(name)}


def _read_identity(word: str) -> str | None:
    data = _bytes(word)
    return None if data is None else os.fsdecode(data)


def _bytes(word: str) -> bytes | None:
    return None if word == _NOTHING else re.sub(
        rb"%(..)", lambda found: bytes([int(found[1], 16)]), word.encode("ascii"))


# --- Checking

def check(record: Record) -> None:
    """Raises ValueError for what no install has written."""
    for name, entry in record.files.items():
        _check_entry(name, entry)
    saved = [entry.saved for entry in record.files.values() if entry.saved]
    _demand(len(saved) == len(set(saved)), "two files are saved under one name")
    for edit in record.edits:
        _check_edit(edit)
    _demand(set(record.ntke) <= set(layout.NTKE_PAIR.values()), "ntke has no such file")
    _demand(set(record.keeping) <= set(record.files), "a file is kept and not replaced")
    _demand(set(record.new) <= {*layout.REPLACED, *layout.NTKE_PAIR}, "a new file is none of ours")
    for identity in [*record.ntke.values(), *record.new.values()]:
        _check_hash(identity)


def _check_entry(name: str, entry: Entry) -> None:
    _demand(name in layout.REPLACED, f"{name!r} is no file that we replace")
    saved = layout.REPLACED[name].lstrip("0123456789")
    _demand(entry.saved is None or re.fullmatch("[0-9]?" + re.escape(saved), entry.saved),
            f"{entry.saved!r} is no name of a saved file")
    _demand((entry.saved is None) == (entry.original is None), f"{name!r} is saved, and was not there")
    if entry.original is not None and not entry.original.startswith(LINK):
        _check_hash(entry.original)
    for identity in entry.ours:
        _check_hash(identity)


def _check_hash(identity: str | None) -> None:
    _demand(identity and re.fullmatch("[0-9a-f]{64}", identity), "a hash is none")


def _check_edit(edit: Edit) -> None:
    _demand(edit.key and edit.name and edit.value, "an edit is none")
    for text in (edit.key, edit.name, edit.value, edit.line or ""):
        text.encode("latin-1")
    _demand(isinstance(edit.section_added, bool), "section_added is no boolean")


def _demand(condition, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
