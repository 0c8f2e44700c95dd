"""Puts our DLLs into a prefix: everything is staged, then recorded as installed, then replaced.

All that needs room on the disk, and nearly all that can fail, is done while staging; that is undone when
it fails, and by the next verb when we are killed. Replacing is a rename per file.
"""

import os
import stat
from dataclasses import dataclass, field, replace

from . import prefix_layout as layout, prefix_record as records, prefix_undo, registry
from .prefix_files import LINK, NO_FILE, hash_of
from .prefix_open import OpenPrefix
from .prefix_record import Edit, Entry, Record
from .prefix_server import refuse_if_in_use
from .ui import Failure


@dataclass
class New:
    """A file that is going to replace another, and the one whose permissions and owner it gets."""
    data: bytes
    like: os.stat_result | None


@dataclass
class Plan:
    """What an install is to do: the record it leads to, and the files it replaces, by name."""
    record: Record
    new: dict[str, New] = field(default_factory=dict)


# --- To look

def make_plan(prefix: OpenPrefix, wanted: list[layout.Target], pair: list[layout.Target],
              old: Record | None) -> Plan:
    """Changes nothing. `old` says what is installed, if anything is. The override is the last to be
    replaced: it asks for DLLs that have to be there."""
    old = old or Record()
    plan = Plan(Record(dict(old.files), list(old.edits), dict(old.ntke)))
    _plan_ntke(prefix, pair, plan)
    for target in wanted:
        _plan_dll(prefix, target, plan)
    _plan_registry(prefix, plan)
    plan.record.new = {name: hash_of(new.data) for name, new in plan.new.items()}
    prefix_undo.refuse_strangers(prefix, plan.new)
    return plan


def _plan_ntke(prefix: OpenPrefix, pair: list[layout.Target], plan: Plan) -> None:
    """The pair that WINEDLLPATH names. Nothing of the user's can be in its place."""
    for target in pair:
        data = target.source.read_bytes()
        plan.record.ntke[layout.NTKE_PAIR[target.name]] = hash_of(data)
        if prefix.identity(target.name) != hash_of(data):
            plan.new[target.name] = New(data, None)


def _plan_dll(prefix: OpenPrefix, target: layout.Target, plan: Plan) -> None:
    data = target.source.read_bytes()
    new = hash_of(data)
    current = prefix.identity(target.name)
    entry = plan.record.files.get(target.name)
    if current == NO_FILE:
        raise Failure(f"{prefix.path / target.name} is no file")
    if entry and current not in (None, new, entry.original, *entry.ours):
        raise _changed(prefix, target.name)
    if entry is None or current == entry.original:
        entry = _keep(prefix, target.name, current, entry, plan)
    plan.record.files[target.name] = replace(entry, ours=_with(entry.ours, new))
    if current != new:
        folder, last = prefix.place(target.name)
        info = folder.info(last)
        plan.new[target.name] = New(data, info if info and stat.S_ISREG(info.st_mode) else None)


def _changed(prefix: OpenPrefix, name: str) -> Failure:
    return Failure(f"{prefix.path / name} was changed after our DLL had been installed; `ws2 prefix remove` first, "
                   "which leaves that file as it is")


def _plan_registry(prefix: OpenPrefix, plan: Plan) -> None:
    data, info = prefix.root.read_linked(layout.USER_REG)
    after, edits = _edited(data, plan.record.edits)
    if after == data:
        return
    current = prefix.identity(layout.USER_REG)
    entry = plan.record.files.get(layout.USER_REG)
    if entry and current.startswith(LINK) and current != entry.original:
        raise _changed(prefix, layout.USER_REG)
    # The original may only come back whole if nothing but our values ever differed from it.
    whole = entry is None or current in (entry.original, *entry.ours)
    if entry is None or current == entry.original:
        entry = _keep(prefix, layout.USER_REG, current, entry, plan)
    plan.record.files[layout.USER_REG] = replace(
        entry, ours=_with(entry.ours, hash_of(after)) if whole else entry.ours)
    plan.record.edits = edits
    plan.new[layout.USER_REG] = New(after, info)


def _edited(data: bytes, old: list[Edit]) -> tuple[bytes, list[Edit]]:
    """The file with our values in it, and how each came there."""
    edits = {(edit.key, edit.name): edit for edit in old}
    for key, name, value in layout.REGISTRY:
        if registry.get(data, key, name) == value:
            continue  # set by us before, or by the user
        texts = [text.decode("latin-1") for text in (key, name, value)]
        before = edits.get((texts[0], texts[1]))
        ours = before and registry.get(data, key, name) == before.value.encode("latin-1")
        data, line, added = registry.set_value(data, key, name, value)
        edits[texts[0], texts[1]] = Edit(
            *texts, before.line if ours else line and line.decode("latin-1"),
            added or bool(before) and before.section_added)
    return data, list(edits.values())


def _keep(prefix: OpenPrefix, name: str, current: str | None, entry: Entry | None, plan: Plan) -> Entry:
    """The entry of a file whose original has to be saved, unless it is already, or there is none."""
    entry = entry or Entry(current, None)
    if current is None or prefix_undo.has_saved(prefix, entry):
        return entry
    entry = replace(entry, saved=layout.REPLACED[name])
    if prefix_undo.has_saved(prefix, entry):
        raise Failure(f"{prefix.path / layout.SAVED / entry.saved} is in the way, and not of our making: move "
                      "it away")
    plan.record.keeping.append(name)
    return entry


def _with(known: list[str], new: str) -> list[str]:
    return known if new in known else [*known, new]


# --- To change

def carry_out(prefix: OpenPrefix, plan: Plan, fresh: bool) -> None:
    """Raises with the prefix as it was; or as `plan.record` says, for any verb to complete or undo, when
    even undoing fails, or when newer files of ours were replacing older ones. `fresh`: nothing was
    installed."""
    changes = prefix.changes
    try:
        records.begin(prefix, plan.record)
        _keep_originals(prefix, plan.record)
        _stage(prefix, plan.new)
        refuse_if_in_use(prefix.path)
        state = prefix.folder(layout.STATE)
        state.rename(records.STAGING, state, records.INSTALLED)
    except BaseException as error:
        _undo(prefix, error, False)
        prefix.changes = changes
        raise
    try:
        state.sync()
        _replace(prefix, plan.new)
    except BaseException as error:
        if fresh:
            _undo(prefix, error, True)
            prefix.changes = changes
        raise


def _undo(prefix: OpenPrefix, error: BaseException, remove: bool) -> None:
    """Undoes what was done before `error`."""
    try:
        found = records.read_all(prefix)
        prefix_undo.recover(prefix, found)
        if found.installed and remove:
            prefix_undo.remove(prefix, found.installed)
    except OSError as second:
        raise Failure(f"cannot install: {error}; nor undo what was begun: {second}") from error


def _keep_originals(prefix: OpenPrefix, record: Record) -> None:
    for name in record.keeping:
        saved = prefix.folder(layout.SAVED, make=True)
        folder, last = prefix.place(name)
        folder.keep(last, saved, record.files[name].saved)
        saved.sync()


def _stage(prefix: OpenPrefix, new: dict[str, New]) -> None:
    for name, file in new.items():
        parent, _, last = name.rpartition("/")
        folder = prefix.folder(parent, make=parent.startswith(layout.LIB + "/"))
        folder.create(last + layout.NEW_SUFFIX, file.data, file.like)


def _replace(prefix: OpenPrefix, new: dict[str, New]) -> None:
    for name in new:
        folder, last = prefix.place(name)
        folder.rename(last + layout.NEW_SUFFIX, folder, last)
        folder.sync()
