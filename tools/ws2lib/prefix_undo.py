"""Takes out of a prefix what an install has put in, from whatever point it or a remove has come to.

Each step looks at what is there, so that it can be done again after we were killed in it: an original
that is back is not brought back twice, and nothing is taken away that is not known to be ours.
"""

import errno
import stat
from collections.abc import Iterable

from . import prefix_layout as layout, prefix_record as records, registry
from .prefix_files import LINK, NO_FILE, Folder
from .prefix_open import OpenPrefix
from .prefix_record import Entry, Record, Records
from .ui import Failure


def recover(prefix: OpenPrefix, found: Records) -> list[str]:
    """Goes on where an install or a remove was interrupted: undoes an install that had replaced nothing
    yet, and completes what had gone further. After that there is the record of an install that is whole,
    or none. Returns what there is to tell."""
    if found.staging:
        undo_staging(prefix, found.staging)
    if found.removing:
        return complete_remove(prefix, found.removing)
    records.tidy(prefix)
    if found.installed:
        complete_install(prefix, found.installed)
    return []


def undo_staging(prefix: OpenPrefix, record: Record) -> None:
    """Takes away what an install made before it replaced anything, the last first."""
    _unlink_staged(prefix, record.new)
    saved = prefix.folder(layout.SAVED)
    for name in reversed(record.keeping):
        if saved:
            saved.unlink(record.files[name].saved)
    _remove_empty_folders(prefix)
    records.forget(prefix, records.STAGING)


def complete_install(prefix: OpenPrefix, record: Record) -> None:
    """Replaces what an install has not come to, but no file that has been changed meanwhile."""
    leftovers = find_leftovers(prefix, record)
    for name in leftovers:
        folder, last = prefix.place(name)
        entry = record.files.get(name)
        if entry and folder.identity(last) not in (None, entry.original, *entry.ours):
            folder.unlink(last + layout.NEW_SUFFIX)
        else:
            folder.rename(last + layout.NEW_SUFFIX, folder, last)
        folder.sync()


def find_leftovers(prefix: OpenPrefix, record: Record) -> list[str]:
    """The files whose new ones an install has left beside them. Refuses what it did not make there."""
    found = [name for name in {**record.files, **record.new} if _is_there(prefix, name + layout.NEW_SUFFIX)]
    for name in found:
        if prefix.identity(name + layout.NEW_SUFFIX) != record.new.get(name):
            raise in_the_way(prefix, name)
    return found


def refuse_strangers(prefix: OpenPrefix, names: Iterable[str]) -> None:
    """No file may be where a new one is going to be made."""
    for name in names:
        if _is_there(prefix, name + layout.NEW_SUFFIX):
            raise in_the_way(prefix, name)


def in_the_way(prefix: OpenPrefix, name: str) -> Failure:
    return Failure(f"{prefix.path / name}{layout.NEW_SUFFIX} is in the way, and not of our making: move it "
                   "away")


def remove(prefix: OpenPrefix, record: Record) -> list[str]:
    """Takes an install out. Raises OSError with the prefix unchanged when there is no room for the new
    user.reg; after that nothing needs room, unless the original of a DLL is on another disk."""
    find_leftovers(prefix, record)  # to refuse before anything is done; _bring_back() takes them away
    state, changes = prefix.folder(layout.STATE), prefix.changes
    try:
        records.advance(state, records.INSTALLED, records.REMOVING)
        told = _stage_registry(prefix, record)
    except OSError:
        _unlink_staged(prefix, [layout.USER_REG])
        if state.info(records.REMOVING):
            records.advance(state, records.REMOVING, records.INSTALLED)
        prefix.changes = changes
        raise
    return told + _bring_back(prefix, record)


def complete_remove(prefix: OpenPrefix, record: Record) -> list[str]:
    return _stage_registry(prefix, record) + _bring_back(prefix, record)


def _bring_back(prefix: OpenPrefix, record: Record) -> list[str]:
    told = []
    for name, entry in reversed(record.files.items()):
        told += _restore_registry(prefix, entry) if name == layout.USER_REG else _restore(prefix, name, entry)
    _unlink_staged(prefix, {**record.files, **record.new})
    for name in layout.NTKE_PAIR:
        folder = prefix.folder(name.rpartition("/")[0])
        if folder:
            folder.unlink(name.rpartition("/")[2])
    _remove_empty_folders(prefix)
    if not records.forget(prefix, records.REMOVING):
        told.append(f"{prefix.path / layout.STATE} holds files that are not ours, and stays")
    return told


# --- Files

def _restore(prefix: OpenPrefix, name: str, entry: Entry) -> list[str]:
    """Brings the original back, unless the user has put something else in its place."""
    current = prefix.identity(name)
    saved = has_saved(prefix, entry)
    if saved and current in (None, entry.original, *entry.ours):
        _put_back(prefix, name, entry)
    elif current == entry.original:
        pass  # it is back already
    elif current in entry.ours and entry.original is None:
        folder, last = prefix.place(name)
        folder.unlink(last)
        folder.sync()
    elif current is None or current in entry.ours:
        return [f"what {prefix.path / name} had replaced is not in {prefix.path / layout.SAVED} any more: "
                "it stays as it is"]
    else:
        told = [f"{prefix.path / name} was changed after our DLL had been installed: it stays as it is"]
        return told + (_keep_aside(prefix, entry) if saved else [])
    return []


def has_saved(prefix: OpenPrefix, entry: Entry) -> bool:
    """Whether the original is still among the saved files."""
    folder = prefix.folder(layout.SAVED) if entry.saved else None
    return bool(folder) and folder.info(entry.saved) is not None


def _put_back(prefix: OpenPrefix, name: str, entry: Entry) -> None:
    saved = prefix.folder(layout.SAVED)
    folder, last = prefix.place(name)
    if not _is_untouched(folder, last, saved, entry):
        try:
            saved.rename(entry.saved, folder, last)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            folder.unlink(last + layout.NEW_SUFFIX)
            saved.copy(entry.saved, folder, last + layout.NEW_SUFFIX)
            folder.rename(last + layout.NEW_SUFFIX, folder, last)
        folder.sync()
    saved.unlink(entry.saved)


def _is_untouched(folder: Folder, name: str, saved: Folder, entry: Entry) -> bool:
    """Whether the original is in its place, and what is saved but a second name or a copy of it."""
    if folder.identity(name) != entry.original:
        return False
    here, there = folder.info(name), saved.info(entry.saved)
    return (here.st_mtime_ns, here.st_mode) == (there.st_mtime_ns, there.st_mode)


def _keep_aside(prefix: OpenPrefix, entry: Entry) -> list[str]:
    """Moves a saved file to where it is the user's own again, next to nothing else of that name."""
    number = 0
    while True:
        name = layout.KEPT + (f".{number}" if number else "")
        info = prefix.root.info(name)
        if info is None or stat.S_ISDIR(info.st_mode) and prefix.folder(name).info(entry.saved) is None:
            break
        number += 1
    kept = prefix.folder(name, make=True)
    saved = prefix.folder(layout.SAVED)
    saved.rename(entry.saved, kept, entry.saved)
    kept.sync()
    return [f"what it replaced is kept as {kept.path / entry.saved}"]


def _unlink_staged(prefix: OpenPrefix, names: Iterable[str]) -> None:
    for name in reversed(list(names)):
        if _is_there(prefix, name + layout.NEW_SUFFIX):
            folder, last = prefix.place(name)
            folder.unlink(last + layout.NEW_SUFFIX)


def _is_there(prefix: OpenPrefix, name: str) -> bool:
    parent, _, last = name.rpartition("/")
    folder = prefix.folder(parent)
    return bool(folder) and folder.info(last) is not None


def _remove_empty_folders(prefix: OpenPrefix) -> None:
    for name in [*(name.rpartition("/")[0] for name in layout.NTKE_PAIR), layout.LIB, layout.SAVED]:
        prefix.remove_folder(name)


# --- The registry

def _stage_registry(prefix: OpenPrefix, record: Record) -> list[str]:
    """When more than our values was changed in user.reg meanwhile, makes a new file of it, without them.
    Values that are neither ours nor what they were before are the user's."""
    entry = record.files.get(layout.USER_REG)
    current = prefix.identity(layout.USER_REG)
    if entry is None or not _is_edited(current, entry):
        return []
    _unlink_staged(prefix, [layout.USER_REG])
    data, info = prefix.root.read_linked(layout.USER_REG)
    restored, told = data, []
    for edit in reversed(record.edits):
        key, name, value = (text.encode("latin-1") for text in (edit.key, edit.name, edit.value))
        line = edit.line.encode("latin-1") if edit.line is not None else None
        if registry.get(data, key, name) == value:
            restored = registry.restore(restored, key, name, line, edit.section_added)
        elif registry.line(data, key, name) != line:
            told.append(f"the value {edit.name} of {edit.key} in {prefix.path / layout.USER_REG} was changed "
                        "or taken away meanwhile: it stays as it is")
    if restored != data:
        prefix.root.create(layout.USER_REG + layout.NEW_SUFFIX, restored, info)
    return told


def _restore_registry(prefix: OpenPrefix, entry: Entry) -> list[str]:
    """Brings the original back, or what _stage_registry() made."""
    if not _is_edited(prefix.identity(layout.USER_REG), entry):
        return _restore(prefix, layout.USER_REG, entry)
    if prefix.root.info(layout.USER_REG + layout.NEW_SUFFIX):
        prefix.root.rename(layout.USER_REG + layout.NEW_SUFFIX, prefix.root, layout.USER_REG)
        prefix.root.sync()
    if not has_saved(prefix, entry):
        return []
    if entry.original.startswith(LINK):
        return [f"{prefix.path / layout.USER_REG} was a link; it was changed meanwhile, and stays a file",
                *_keep_aside(prefix, entry)]
    prefix.folder(layout.SAVED).unlink(entry.saved)
    return []


def _is_edited(current: str | None, entry: Entry) -> bool:
    """Whether user.reg is a file that Wine or the user has written to since."""
    known = current in (None, NO_FILE, entry.original, *entry.ours)
    return not known and not current.startswith(LINK)
