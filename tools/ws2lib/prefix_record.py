"""The record of an install, which a prefix holds in `.ws2_32`. Its name says how far things are:

  staging.json    an install has begun: the originals are being kept and new files lie beside their
                  targets, but nothing is replaced. To be undone.
  manifest.json   installed, or being so: files are replaced one by one. staging.json becomes this by a
                  rename, which is the point of no return and needs no room on the disk.
  removing.json   a remove has begun: originals come back one by one. To be completed. manifest.json
                  becomes this by a rename.

No record, nothing of the user's: an install makes the record before anything else, and a remove takes it
away after everything else. When a newer DLL is installed over an older one, staging.json lies beside
manifest.json, which still holds.

Whoever owns the prefix can write what he likes into a record, and root may read it. So all it can do is
name files of prefix_layout.
"""

import json
import re
from dataclasses import asdict, dataclass, field

from . import prefix_layout as layout
from .prefix_files import LINK, Folder
from .prefix_open import OpenPrefix
from .ui import Failure

STAGING, INSTALLED, REMOVING = "staging.json", "manifest.json", "removing.json"
_UNWRITTEN = STAGING + ".new"
_FORMAT = 4
_READABLE = (2, 3, 4)  # 2 knew no ntke_unix.dll, 3 no ntke for 32-bit programs


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


@dataclass
class Records:
    """What is recorded in a prefix; at most `staging` and `installed` at once."""
    staging: Record | None
    installed: Record | None
    removing: Record | None

    def any(self) -> bool:
        return any((self.staging, self.installed, self.removing))


def read_all(prefix: OpenPrefix) -> Records:
    """Refuses a damaged record, and a state folder with things in it that no record speaks of."""
    state = prefix.folder(layout.STATE)
    if state is None:
        return Records(None, None, None)
    if state.info(_UNWRITTEN):
        state.read(_UNWRITTEN)  # refuses what is no file
    found = Records(*(_read(state, name) for name in (STAGING, INSTALLED, REMOVING)))
    if found.removing and (found.staging or found.installed):
        raise _damaged(state, REMOVING, f"it is there beside {STAGING if found.staging else INSTALLED}")
    strange = [] if found.any() else [name for name in state.names() if name != _UNWRITTEN]
    if strange:
        raise Failure(f"{state.path} holds {', '.join(strange)} and no record of what that is. Move it away "
                      "(an original of a DLL back to where it belongs)")
    return found


def begin(prefix: OpenPrefix, record: Record) -> None:
    """Writes the record under which files are staged. The state folder must be tidy."""
    state = prefix.folder(layout.STATE, make=True)
    state.create(_UNWRITTEN, json.dumps({"format": _FORMAT, **asdict(record)}, indent=1).encode())
    advance(state, _UNWRITTEN, STAGING)


def advance(state: Folder, old: str, new: str) -> None:
    """Moves a record on (or back): the step that decides what the next verb does."""
    state.rename(old, state, new)
    state.sync()


def forget(prefix: OpenPrefix, name: str) -> bool:
    """Takes a record away, and the state folder if nothing else is in it; false: something is."""
    state = prefix.folder(layout.STATE)
    state.unlink(name)
    state.sync()
    return tidy(prefix)


def tidy(prefix: OpenPrefix) -> bool:
    """Takes away a record that had not even been written, and an empty state folder; false: the folder
    is not empty."""
    state = prefix.folder(layout.STATE)
    if state is None:
        return True
    names = state.names()
    if _UNWRITTEN in names:
        state.unlink(_UNWRITTEN)
        names.remove(_UNWRITTEN)
    if names:
        return False
    removed = prefix.remove_folder(layout.STATE)
    prefix.root.sync()
    return removed


# --- Reading

def _damaged(state: Folder, name: str, why: str) -> Failure:
    return Failure(f"{state.path / name} is damaged: {why}. It is the record of what our DLL replaced; the "
                   f"originals are in {state.path / 'saved'}")


def _read(state: Folder, name: str) -> Record | None:
    if state.info(name) is None:
        return None
    try:
        data = json.loads(state.read(name))
    except (ValueError, RecursionError) as error:
        raise _damaged(state, name, str(error)) from error
    try:
        return _record(_from_first_format(data) if "format" not in data else data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(state, name, f"{type(error).__name__}: {error}") from error


def _record(data: dict) -> Record:
    if data["format"] not in _READABLE:
        raise ValueError(f"format {data['format']!r} is of another version of ws2, which can remove it")
    record = Record({name: Entry(**entry) for name, entry in data["files"].items()},
                    [Edit(**edit) for edit in data["edits"]], data["ntke"], data["keeping"], data["new"])
    for name, entry in record.files.items():
        _check_entry(name, entry)
    saved = [entry.saved for entry in record.files.values() if entry.saved]
    _demand(len(saved) == len(set(saved)), "two files are saved under one name")
    for edit in record.edits:
        _check_edit(edit)
    _demand(set(record.ntke) <= set(layout.NTKE_PAIR.values()), "ntke has no such file")
    _demand(set(record.keeping) <= set(record.files), "a file is kept and not replaced")
    _demand(set(record.new) <= {*layout.REPLACED, *layout.NTKE_PAIR}, "a new file is none of ours")
    return record


def _check_entry(name: str, entry: Entry) -> None:
    _demand(name in layout.REPLACED, f"{name!r} is no file that we replace")
    saved = layout.REPLACED[name].lstrip("0123456789")
    _demand(entry.saved is None or re.fullmatch("[0-9]?" + re.escape(saved), entry.saved),
            f"{entry.saved!r} is no name of a saved file")
    _demand((entry.saved is None) == (entry.original is None), f"{name!r} is saved, and was not there")
    for identity in [*entry.ours, *([entry.original] if entry.original else [])]:
        _demand(identity.startswith(LINK) or re.fullmatch("[0-9a-f]{64}", identity), "a hash is none")


def _check_edit(edit: Edit) -> None:
    for text in (edit.key, edit.name, edit.value, edit.line or ""):
        text.encode("latin-1")
    _demand(isinstance(edit.section_added, bool), "section_added is no boolean")


def _demand(condition, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def _from_first_format(data: dict) -> dict:
    """Version 0.1 numbered the saved files as they came, and had the edit of the registry apart."""
    files = {name: dict(entry, saved=entry["saved"] and entry["saved"].removeprefix("saved/"))
             for name, entry in data["files"].items()}
    edits = []
    registry = data["registry"]
    if registry and registry["mine"]:
        key, name, value = (text.decode("latin-1") for text in layout.REGISTRY[0])
        edits.append({"key": key, "name": name, "value": value, "line": registry["line"],
                      "section_added": registry["section_added"]})
        files[layout.USER_REG] = {"original": registry["original"], "saved": "user.reg",
                                  "ours": [registry["written"]] if registry["written"] else []}
    return {"format": _FORMAT, "files": files, "edits": edits, "ntke": data.get("ntke", {}),
            "keeping": [], "new": {}}
