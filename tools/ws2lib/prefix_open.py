"""A Wine prefix that is being worked on."""

import fcntl
import os
from pathlib import Path

from .prefix_files import NO_FILE, READ_FOLDER, Folder, call
from .ui import Failure


class OpenPrefix:
    """A prefix, opened and held by one ws2 at a time; its folders stay open until the end, so that what
    was looked at and what is changed are in the same folder, whatever is renamed meanwhile. A context
    manager. Only `drive_c` may be a link: people do put it on another disk, and nothing else."""

    def __init__(self, path: Path):
        self.path = path
        try:
            handle = call(os.open, path, READ_FOLDER)
        except OSError as error:
            raise Failure(f"cannot open {path}: {error.strerror}. Nothing was changed") from error
        self.root = Folder(handle, path, self)
        self.owner = call(os.fstat, handle)
        self.changes = 0  # whoever undoes some sets it back
        self._folders = {"": self.root}

    def __enter__(self) -> "OpenPrefix":
        return self

    def __exit__(self, *_) -> None:
        for folder in self._folders.values():
            folder.close()

    def lock(self, to_change: bool = True) -> None:
        """Waits for another ws2 that changes something, and to change something for all others; leaves no
        file. Folders of ours are not to be looked into before."""
        call(fcntl.flock, self.root.handle, fcntl.LOCK_EX if to_change else fcntl.LOCK_SH)

    def folder(self, name: str, make: bool = False) -> Folder | None:
        """A folder by its name below the prefix; with `make` it is made if it is not there."""
        if name not in self._folders:
            parent_name, _, last = name.rpartition("/")
            parent = self.folder(parent_name, make)
            found = parent and (parent.linked_folder if name == "drive_c" else parent.folder)(last)
            if found is None and make:
                found = parent.make_folder(last)
                parent.sync()
            if found is None:
                return None
            self._folders[name] = found
        return self._folders[name]

    def place(self, name: str) -> tuple[Folder, str]:
        """The folder of a file, which must be there, and the file's name in it."""
        parent, _, last = name.rpartition("/")
        folder = self.folder(parent)
        if folder is None:
            raise Failure(f"{self.path / parent} is not there")
        return folder, last

    def identity(self, name: str) -> str | None:
        parent, _, last = name.rpartition("/")
        folder = self.folder(parent)
        return folder.identity(last) if folder else NO_FILE

    def remove_folder(self, name: str) -> bool:
        """Removes an empty folder; false: it is not empty."""
        parent_name, _, last = name.rpartition("/")
        parent = self.folder(parent_name)
        if self.folder(name) is None:
            return True
        if not parent.remove_folder(last):
            return False
        self._folders.pop(name).close()
        return True
