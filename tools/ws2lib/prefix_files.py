"""The file system as `ws2 prefix` sees it: folders held open, in which names are looked up one at a time.

Root may work in the prefix of somebody who does not wish it well. So below the prefix nothing is reached
by a path: a folder is opened in its parent without following a link, a file is read without following
one and only if it is a regular file, a new file must not have been there, and its mode and owner are set
through its handle. A planted link, folder or FIFO then is in the way, and no way out of the prefix.

Every call to the system passes through call(), where tests count them, let one fail, and look at what a
program that ends there leaves.
"""

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path

from .ui import Failure

# The identity of a folder, a FIFO, a device, a file that is too large, or of a name in a folder that is gone.
NO_FILE = "no file"
LINK = "link:"  # and what it says: the identity of a symbolic link

# What is read at most, so that no file takes all memory: a file of holes is as large as its maker likes.
_MOST = 1 << 28
# What a file system says that has no hard links, or not for this file; others are to be told.
_NO_HARD_LINK = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)
_NO_FOLDER = (errno.ELOOP, errno.ENOTDIR)
READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def call(function, *words, **named):
    """The one place where this program asks the system for something in a prefix."""
    return function(*words, **named)


def hash_of(data: bytes) -> str:
    """The identity of a regular file."""
    return hashlib.sha256(data).hexdigest()


class Folder:
    """An open folder of a prefix. Names are single components; nothing here follows a link, but
    read_linked() and linked_folder(), which say when. Closed by its OpenPrefix."""

    def __init__(self, handle: int, path: Path, prefix):
        self.handle = handle
        self.path = path  # for messages
        self._prefix = prefix  # the OpenPrefix

    def close(self) -> None:
        os.close(self.handle)

    # --- To look

    def info(self, name: str) -> os.stat_result | None:
        with contextlib.suppress(FileNotFoundError):
            return self._info_there(name)
        return None

    def _info_there(self, name: str) -> os.stat_result:
        return call(os.stat, name, dir_fd=self.handle, follow_symlinks=False)

    def names(self) -> list[str]:
        return sorted(call(os.listdir, self.handle))

    def identity(self, name: str) -> str | None:
        """What tells a file from another: its hash, or where a link points. None: there is nothing."""
        info = self.info(name)
        if info is None:
            return None
        if stat.S_ISLNK(info.st_mode):
            return LINK + call(os.readlink, name, dir_fd=self.handle)
        return hash_of(self.read(name)) if stat.S_ISREG(info.st_mode) and info.st_size <= _MOST else NO_FILE

    def read(self, name: str) -> bytes:
        """The content of a regular file."""
        seen = self._look_at(name)
        try:
            return _read_seen(seen, self.path / name)
        finally:
            os.close(seen)

    def _look_at(self, name: str) -> int:
        """A handle of a file or link. Opening a device may do something; looking at it does not."""
        return call(os.open, name, _LOOK | os.O_NOFOLLOW, dir_fd=self.handle)

    def read_linked(self, name: str) -> tuple[bytes, os.stat_result]:
        """The content of a file that the owner may have put elsewhere, with a link in its place; and the
        mode and owner that a copy needs, not to show more than the file does."""
        seen, linked = self._open(name, _LOOK)
        try:
            info = call(os.fstat, seen)
            if stat.S_ISREG(info.st_mode):
                self._demand_owner(name, info, linked)
            return _read_seen(seen, self.path / name), info
        finally:
            os.close(seen)

    def _open(self, name: str, flags: int) -> tuple[int, bool]:
        """Opens what may be a link, and tells whether it is one."""
        handle = call(os.open, name, flags | os.O_NOFOLLOW, dir_fd=self.handle)
        try:
            if not stat.S_ISLNK(call(os.fstat, handle).st_mode):
                return handle, False
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return call(os.open, name, flags, dir_fd=self.handle), True

    def _demand_owner(self, name: str, info: os.stat_result, linked: bool) -> None:
        """In somebody else's prefix a link of theirs may lead to what is theirs, and no further."""
        if linked and os.geteuid() != self._prefix.owner.st_uid != info.st_uid:
            raise Failure(f"{self.path / name} is a link to what does not belong to the owner of the "
                          "prefix")

    def folder(self, name: str) -> "Folder | None":
        """None: there is nothing of that name."""
        try:
            handle = call(os.open, name, READ_FOLDER | os.O_NOFOLLOW, dir_fd=self.handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _NO_FOLDER:
                raise
            raise Failure(f"{self.path / name} is no folder, and links are not followed there") from error
        return Folder(handle, self.path / name, self._prefix)

    def linked_folder(self, name: str) -> "Folder | None":
        """A folder that the owner may have put elsewhere, with a link in its place. None: no folder."""
        try:
            seen, linked = self._open(name, _LOOK)
        except OSError as error:
            if error.errno not in (errno.ENOENT, *_NO_FOLDER):
                raise
            return None
        try:
            info = call(os.fstat, seen)
            if not stat.S_ISDIR(info.st_mode):
                return None
            self._demand_owner(name, info, linked)
            return Folder(call(os.open, ".", READ_FOLDER, dir_fd=seen), self.path / name, self._prefix)
        finally:
            os.close(seen)

    # --- To change

    def _change(self, function, *words, **named):
        """Counts a call that makes, moves or takes away a name. What is done to a file that is open needs
        no counting: it is a new one."""
        result = call(function, *words, **named)
        self._prefix.changes += 1
        return result

    def sync(self) -> None:
        call(os.fsync, self.handle)

    def make_folder(self, name: str) -> "Folder":
        self._change(os.mkdir, name, dir_fd=self.handle)
        made = self.folder(name)
        assert made is not None
        try:
            if made.names():  # another one is there now, and not to be given away
                raise Failure(f"{made.path} was changed meanwhile")
            made.give(made.handle, self._prefix.owner)
        except BaseException:
            made.close()
            raise
        return made

    def remove_folder(self, name: str) -> bool:
        """Removes an empty folder; false: it is not empty."""
        try:
            self._change(os.rmdir, name, dir_fd=self.handle)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        return True

    def unlink(self, name: str) -> None:
        """Removes a name, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._change(os.unlink, name, dir_fd=self.handle)

    def rename(self, name: str, to: "Folder", new_name: str) -> None:
        self._change(os.rename, name, new_name, src_dir_fd=self.handle, dst_dir_fd=to.handle)

    def create(self, name: str, data: bytes, like: os.stat_result | None = None) -> None:
        """Writes a new file, to the disk itself. It gets the permissions and the owner of `like`; without
        that, those of a new file of the prefix's owner."""
        with self._creating(name, data, like):
            pass

    @contextlib.contextmanager
    def _creating(self, name: str, data: bytes, like: os.stat_result | None):
        handle = self._change(os.open, name, _NEW_FILE, 0o600 if like else 0o666, dir_fd=self.handle)
        try:
            _write_all(handle, data)
            self.give(handle, like or self._prefix.owner)
            if like:  # after the owner, whose change may take permissions away
                call(os.fchmod, handle, stat.S_IMODE(like.st_mode) & 0o777)
            yield handle
            call(os.fsync, handle)
        finally:
            os.close(handle)

    @staticmethod
    def give(handle: int, owner: os.stat_result) -> None:
        """Root must not leave files in a user's prefix that the user cannot delete."""
        if os.geteuid() == 0:
            call(os.fchown, handle, owner.st_uid, owner.st_gid)

    def keep(self, name: str, to: "Folder", new_name: str) -> None:
        """Makes `new_name` the very same file where a hard link can be made, else a copy."""
        try:
            self._change(os.link, name, new_name, src_dir_fd=self.handle, dst_dir_fd=to.handle,
                 follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINK:
                raise
            self.copy(name, to, new_name)

    def copy(self, name: str, to: "Folder", new_name: str) -> None:
        """Copies a file or a link, with its mode, times, owner and attributes. Both names are looked up once:
        another file that is moved there is not to be shown or given away."""
        seen = self._look_at(name)
        try:
            info = call(os.fstat, seen)
            if stat.S_ISLNK(info.st_mode):
                to._make_link(new_name, call(os.readlink, "", dir_fd=seen), info)
            else:
                with to._creating(new_name, _read_seen(seen, self.path / name), info) as copy:
                    _copy_attributes(seen, copy)
                    call(os.utime, copy, ns=(info.st_atime_ns, info.st_mtime_ns))
        finally:
            os.close(seen)

    def _make_link(self, name: str, target: str, like: os.stat_result) -> None:
        self._change(os.symlink, target, name, dir_fd=self.handle)
        seen = self._look_at(name)
        try:
            if not stat.S_ISLNK(call(os.fstat, seen).st_mode):
                raise Failure(f"{self.path / name} was changed meanwhile")
            place = f"/proc/self/fd/{seen}"  # the link, which is followed no further
            if os.geteuid() == 0:
                call(os.chown, place, like.st_uid, like.st_gid)
            call(os.utime, place, ns=(like.st_atime_ns, like.st_mtime_ns))
        finally:
            os.close(seen)


def _read_seen(seen: int, path: Path) -> bytes:
    """The content of a file that was looked at; `path` is for messages."""
    info = call(os.fstat, seen)
    if not stat.S_ISREG(info.st_mode):
        raise Failure(f"{path} is no file")
    if info.st_size > _MOST:
        raise Failure(f"{path} is too large: nothing of Wine's or ours has {info.st_size} bytes")
    handle = call(os.open, f"/proc/self/fd/{seen}", _READ_FILE)
    try:
        return _read_all(handle)
    finally:
        os.close(handle)


def _copy_attributes(seen: int, copy: int) -> None:
    """The extended ones, in which Wine keeps DOS attributes. Not every file system has them."""
    source = f"/proc/self/fd/{seen}"
    with contextlib.suppress(OSError):
        for attribute in call(os.listxattr, source):
            call(os.setxattr, copy, attribute, call(os.getxattr, source, attribute))


def _read_all(handle: int) -> bytes:
    parts, rest = [], _MOST
    while rest > 0 and (part := call(os.read, handle, min(rest, 1 << 20))):
        parts.append(part)
        rest -= len(part)
    return b"".join(parts)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[call(os.write, handle, rest):]
