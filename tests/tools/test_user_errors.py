"""What a user can do wrong, and what he is told to do about it."""

import concurrent.futures
import contextlib
import errno
import io
import os
import shutil
import subprocess
import sys
import time
import unittest
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

from prefix_world import SYSTEM32, WorldCase, make_prefix, tree_of
from ws2lib import build, cli, matrix, packages, paths, prefix, prefix_server, run
from ws2lib.ui import Failure


class Case(WorldCase):
    def setUp(self):
        super().setUp()
        self.folder = make_prefix(self.scratch / "prefix")

    def refused(self, action, *words) -> str:
        before = tree_of(self.folder)
        with self.assertRaises(Failure) as caught:
            action(*words)
        self.assertEqual(tree_of(self.folder), before)
        return str(caught.exception)

    def mount(self, *words) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        if subprocess.run(["mount", *words], check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", words[-1]], check=True)


class Packages(unittest.TestCase):
    def test_no_wine_is_told_with_what_brings_it(self):
        with mock.patch.object(shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None), \
                mock.patch.object(os, "geteuid", return_value=1000), \
                self.assertRaisesRegex(Failure, "missing: .*wine.*As root: apt-get install .*wine"):
            packages.ensure("wine")

    def test_elsewhere_the_programs_are_named(self):
        with mock.patch.object(shutil, "which", return_value=None), \
                self.assertRaisesRegex(Failure, "not Debian, so please install: .*wine"):
            packages.ensure("wine")


class Prefix(Case):
    def test_of_another_user(self):
        for verb in (prefix.install, prefix.remove):
            with mock.patch.object(os, "geteuid", return_value=os.geteuid() + 4711):
                self.assertIn("run this as that user", self.refused(verb, self.folder))

    def test_on_a_disk_that_is_read_only(self):
        self.mount("--bind", "-o", "ro", self.folder, self.folder)
        told = self.refused(prefix.install, self.folder)
        self.assertIn("mount it writable", told)
        self.assertIn("Nothing was changed", told)

    def test_on_a_disk_that_is_full(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        self.mount("-t", "tmpfs", "-o", "size=128k", "tmpfs", disk)
        folder = make_prefix(disk / "prefix")
        (disk / "filler").write_bytes(b"x" * max(0, os.statvfs(disk).f_bavail * 4096 - 8192))
        self.assertIn("make room", self.refused(prefix.install, folder))

    def test_on_a_disk_without_programs(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        self.mount("-t", "tmpfs", "-o", "noexec", "tmpfs", disk)
        folder = make_prefix(disk / "prefix")
        self.assertIn("mounted noexec", "\n".join(prefix.install(folder)))
        self.assertIn("mounted noexec", "\n".join(prefix.status(folder)[1]))

    def test_with_blanks_and_letters_of_no_ascii_in_its_path(self):
        other = self.scratch / "Mein Präfix 'x' \"y\" $HOME *"
        self.folder.rename(other)
        before = tree_of(other)
        prefix.install(other)
        self.assertTrue(prefix.status(other)[0])
        prefix.remove(other)
        self.assertEqual(tree_of(other), before)

    def test_with_bytes_in_its_path_that_are_no_text(self):
        other = self.scratch / os.fsdecode(b"caf\xe9\n")
        self.folder.rename(other)
        words = [sys.executable, paths.ROOT / "tools/ws2", "prefix", "status", other]
        # As in a locale of UTF-8 that is not C's.
        done = subprocess.run(words, check=False, env=dict(os.environ, PYTHONIOENCODING="utf-8:strict"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        self.assertIn(os.fsencode(other), done.stdout)


class Command(Case):
    """`ws2` where it may not write: it tells why, and where it would have written."""

    def told(self, *words: str) -> str:
        output = io.StringIO()
        with redirect_stderr(output), mock.patch.object(packages, "ensure"):
            self.assertEqual(cli.main(list(words)), 1)
        return output.getvalue()

    def test_a_tree_on_a_disk_that_is_read_only(self):
        place = self.scratch / "tree"
        place.mkdir()
        self.mount("--bind", "-o", "ro", place, place)
        with mock.patch.object(paths, "BUILD", place / "build"):
            for words in (("build", "--only", "x86_64"), ("test", "--side", "tools"), ("release",)):
                told = self.told(*words)
                self.assertIn("mount it writable", told)
                self.assertIn(f"{place}/build", told)

    def test_a_tree_or_cache_of_another_user(self):
        for words, error in ((("run",), PermissionError(errno.EACCES, "Permission denied", "/a/build/.lock")),
                             (("build",), OSError(errno.ENOSPC, "No space left on device", "/a/build/x")),
                             (("matrix",), OSError(errno.EDQUOT, "Disk quota exceeded", "/a/cache"))):
            with mock.patch.object(build, "exclusive", side_effect=error), \
                    mock.patch.object(matrix, "why_not", side_effect=error), \
                    mock.patch.object(run, "_wine"), mock.patch.object(build.platform, "machine", lambda: "x86_64"):
                told = self.told(*words)
            self.assertIn(error.filename, told)
            self.assertIn("XDG_CACHE_HOME", told)

    def test_what_is_a_fault_of_ours_is_told_whole(self):
        with mock.patch.object(matrix, "why_not", side_effect=OSError(errno.EBADF, "Bad file descriptor")), \
                self.assertRaises(OSError):
            cli.main(["matrix"])


class Run(Case):
    def run_in(self, folder: Path, program: str) -> None:
        args = mock.Mock(words=[program], wine=None, kernel="host", prefix=folder)
        with mock.patch.object(run.build, "build"), mock.patch.object(run, "Wine") as wine, \
                mock.patch.object(run, "_program", return_value=(program, "x86_64")):
            wine.return_value.version = "8.0"
            run.main(args)

    def test_a_64_bit_program_in_a_32_bit_prefix(self):
        (self.folder / "system.reg").write_bytes(b"WINE REGISTRY Version 2\n\n#arch=win32\n")
        prefix.install(self.folder)
        self.assertIn("64-bit program, and", self.refused(self.run_in, self.folder, "a.exe"))

    def test_a_folder_that_is_no_prefix(self):
        (self.folder / "system.reg").unlink()
        self.assertIn("no Wine prefix", self.refused(self.run_in, self.folder, "a.exe"))

    def test_a_prefix_without_our_dll(self):
        told = self.refused(self.run_in, self.folder, "a.exe")
        self.assertIn("ws2 prefix install", told)
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"Wine's, 64-bit")

    def test_a_new_prefix_shares_no_file_with_others(self):
        # Another version of Wine writes its own programs into the files that are there.
        self.patch(run, "template", lambda wine: self.folder)
        self.patch(run.build, "build", lambda *arches, **named: None)
        wine = mock.Mock(version="8.0")
        made = run._prefix(wine, self.scratch / "new", True, "x86_64")  # pylint: disable=protected-access
        self.assertTrue(prefix.status(made.folder)[0])
        self.assertEqual([path for path in self.folder.rglob("*") if path.is_file() and path.stat().st_nlink > 1], [])

    def test_a_new_prefix_is_whole_or_not_there(self):
        self.patch(run, "template", lambda wine: self.folder)
        before = set(self.scratch.iterdir())
        with mock.patch.object(shutil, "copy2", side_effect=OSError(28, "No space left on device")), \
                self.assertRaisesRegex(Failure, "cannot make the prefix"):
            run._prefix(mock.Mock(version="8.0"), self.scratch / "new", True, "x86_64")  # pylint: disable=protected-access
        self.assertEqual(set(self.scratch.iterdir()), before)

    def test_two_at_once_share_a_prefix(self):
        self.patch(run, "prefixes_folder", lambda: self.scratch)
        self.patch(run, "template", lambda wine: self.folder)
        self.patch(run.build, "build", lambda *arches, **named: None)
        self.patch(run, "copy_prefix", lambda source, place, **_: (shutil.copytree(source, place), time.sleep(0.1)))
        wine = mock.Mock(version="8.0")
        # That one waits for another is said.
        with contextlib.redirect_stderr(io.StringIO()), concurrent.futures.ThreadPoolExecutor() as pool:
            answers = [pool.submit(run._private, wine, True, "x86_64") for _ in range(3)]  # pylint: disable=protected-access
            self.assertEqual({answer.result() for answer in answers}, {self.scratch / "run-8.0-ours"})
        self.assertTrue(prefix.status(self.scratch / "run-8.0-ours")[0])
        self.assertEqual(list(self.scratch.glob("*.part-*")), [])
        # The other one starts its program while this one makes sure that the DLL is there.
        servers = iter([None, 4711, 4711])
        for where in (prefix, prefix_server):
            self.patch(where, "wineserver_of", lambda folder: next(servers))
        self.assertTrue(run._private(wine, True, "x86_64").is_dir())  # pylint: disable=protected-access
        self.assertEqual(list(servers), [])


if __name__ == "__main__":
    unittest.main()
