"""The record of an install, which a prefix holds in `.ws2_32`. Its name says how far things are:

  staging    an install has begun: the originals are being kept and new files lie beside their targets, but
             nothing is replaced. To be undone.
  installed  installed, or being so: files are replaced one by one. staging becomes this by a rename, which
             is the point of no return and needs no room on the disk.
  removing   a remove has begun: originals come back one by one. To be completed. installed becomes this by
             a rename.

No record, nothing of the user's: an install makes the record before anything else, and a remove takes it
away after everything else. When a newer DLL is installed over an older one, staging lies beside installed,
which still holds. release/setup.sh goes through the same states, and goes on from ours as we do from its.

  prefix_record_text    what a record says, and how
  prefix_record_json    what earlier versions wrote
"""

from dataclasses import dataclass

from . import prefix_layout as layout, prefix_record_json as earlier, prefix_record_text as text
from .prefix_files import Folder
from .prefix_open import OpenPrefix
from .prefix_record_text import Edit, Entry, Record  # noqa: F401 (for those who work with records)
from .ui import Failure

STAGING, INSTALLED, REMOVING = NAMES = ("staging", "installed", "removing")
_UNWRITTEN = "record.new"
# What earlier versions called them.
_EARLIER = {STAGING: "staging.json", INSTALLED: "manifest.json", REMOVING: "removing.json"}
_EARLIER_UNWRITTEN = "staging.json.new"


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
    for name in (_UNWRITTEN, _EARLIER_UNWRITTEN):
        if state.info(name):
            state.read(name)  # refuses what is no file
    found = Records(*(_read(state, name) for name in NAMES))
    if found.removing and (found.staging or found.installed):
        raise _damaged(state, REMOVING, f"it is there beside {STAGING if found.staging else INSTALLED}")
    strange = [] if found.any() else [name for name in state.names()
                                      if name not in (_UNWRITTEN, _EARLIER_UNWRITTEN)]
    if strange:
        raise Failure(f"{state.path} holds {', '.join(strange)} and no record of what that is. Move it away "
                      "(an original of a DLL back to where it belongs)")
    return found


def renew(prefix: OpenPrefix) -> None:
    """Writes the records of an earlier version anew. Until the new one has its name, the old one holds."""
    state = prefix.folder(layout.STATE)
    for name, old in _EARLIER.items():
        if state is None or state.info(old) is None:
            continue
        if state.info(name) is None:
            _write_anew(prefix, state, name)
        state.unlink(old)
        state.sync()


def _write_anew(prefix: OpenPrefix, state: Folder, name: str) -> None:
    changes, record = prefix.changes, _read(state, name)
    state.unlink(_UNWRITTEN)
    try:
        _write(state, record, name)
    except OSError:
        state.unlink(_UNWRITTEN)
        prefix.changes = changes
        raise


def begin(prefix: OpenPrefix, record: Record) -> None:
    """Writes the record under which files are staged. The state folder must be tidy."""
    _write(prefix.folder(layout.STATE, make=True), record, STAGING)


def _write(state: Folder, record: Record, name: str) -> None:
    state.create(_UNWRITTEN, text.written(record))
    advance(state, _UNWRITTEN, name)


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
    for unwritten in {_UNWRITTEN, _EARLIER_UNWRITTEN}.intersection(names):
        state.unlink(unwritten)
        names.remove(unwritten)
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
    for file, format_of in ((name, text), (_EARLIER[name], earlier)):
        if state.info(file) is not None:
            try:
                return format_of.read(state.read(file))
            except (ValueError, TypeError) as error:
                raise _damaged(state, file, str(error)) from error
    return None
