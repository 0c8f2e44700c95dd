"""release/setup.sh: what it does is what `ws2 prefix` does, and what it refuses, in every shell that is here.

test_setup_killed: when it is interrupted. test_release: in a prefix of Wine's own."""

import fcntl
import hashlib
import itertools
import os
import platform
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from prefix_world import (NTKE, SYSTEM32, SYSWOW64, UNIX, UNIX32, USER_REG, kinds_to_plant, make_prefix, make_tree,
                          tree_of)
from setup_world import SHELLS, SetupCase
from ws2lib import paths, prefix, prefix_files
from ws2lib.ui import Failure

REGISTRIES = {
    "with a key for overrides": USER_REG % b"",
    "with another override": USER_REG % b'"zlib"="native"\n',
    "with an override of ours": USER_REG % b'"WS2_32"="builtin"\n',
    "with our very override": USER_REG % b'"ws2_32"="native,builtin"\n',
    "with a quoted override": USER_REG % b'"ws2_32"="a\\"b\\\\c" % \xe9\x01\n',
    "without the key": b'WINE REGISTRY Version 2\n\n[A] 1\n"b"="c"\n',
    "without an end of line": b'WINE REGISTRY Version 2\n\n[A] 1\n"b"="c"',
    "with the key at the end": b'WINE REGISTRY Version 2\n\n[Software\\\\Wine\\\\DllOverrides] 1\n"b"="c"',
    "with the key and nothing in it": b"WINE REGISTRY Version 2\n\n[software\\\\wine\\\\dlloverrides] 1",
    "with the key twice": (USER_REG + USER_REG) % (b"", b'"ws2_32"="builtin"\n'),
    "with ends of lines of DOS": (USER_REG % b'"ws2_32"="builtin"\n').replace(b"\n", b"\r\n"),
    "of nothing": b"",
}
EDITS = (lambda data: data + b'\n[Mine] 1\n"x"="y"\n',
         lambda data: data.replace(b'"ws2_32"="native,builtin"', b'"ws2_32"="disabled"'),
         lambda data: data.replace(b'"ws2_32"="native,builtin"\n', b"") + b"; gone",
         lambda data: b"; first\n" + data + b"\n\n\n")


class Case(SetupCase):
    def setUp(self):
        super().setUp()
        self.folder = make_prefix(self.world / "prefix")

    def assert_refused(self, what: str, verbs=("install", "remove"), folder: Path | None = None) -> None:
        before = tree_of(self.world)
        for verb in verbs:
            with self.assertRaisesRegex(Failure, what):
                self.run_setup(verb, folder or self.folder)
            self.assertEqual(tree_of(self.world), before)


class Same(Case):
    """As `ws2 prefix`, to the byte."""

    def test_in_every_shell(self):
        shells = [name for name in SHELLS if shutil.which(name)]
        self.assertIn("dash", shells)
        fresh = tree_of(self.world)
        paths.DIST = self.builds["install"]
        prefix.install(self.folder)
        installed = tree_of(self.world)
        make_tree(self.world, fresh)
        for name in shells:
            shell = (name, "sh") if name == "busybox" else (name,)
            with self.subTest(name):
                self.run_setup("install", self.folder, shell)
                self.assertEqual(tree_of(self.world), installed)
                self.run_setup("remove", self.folder, shell)
                self.assertEqual(tree_of(self.world), fresh)

    def test_in_every_registry(self):
        user_reg = self.folder / "user.reg"
        for (how, data), edit in itertools.product(REGISTRIES.items(), (None, *EDITS)):
            with self.subTest(how, edit=edit and EDITS.index(edit)):
                user_reg.write_bytes(data)
                before = tree_of(self.world)
                self.both("install", before)
                if edit:
                    user_reg.write_bytes(edit(user_reg.read_bytes()))
                self.both("remove", tree_of(self.world))
                if not edit:
                    self.assertEqual(user_reg.read_bytes(), data)

    def both(self, verb: str, tree: tuple) -> None:
        self.run_setup(verb, self.folder)
        done = tree_of(self.world)
        make_tree(self.world, tree)
        paths.DIST = self.builds["install"]
        (prefix.install if verb == "install" else prefix.remove)(self.folder)
        self.assertEqual(done, tree_of(self.world))

    def test_for_a_64_bit_and_a_32_bit_prefix(self):
        fresh = tree_of(self.world)
        (self.folder / "drive_c/windows/syswow64/kernel32.dll").unlink()
        self.both("install", tree_of(self.world))
        self.both("remove", tree_of(self.world))
        make_tree(self.world, fresh)
        (self.folder / "system.reg").write_bytes(b"WINE REGISTRY Version 2\n\n#arch=win32\n")
        self.both("install", tree_of(self.world))
        self.both("remove", tree_of(self.world))

    def test_what_was_changed_after_an_install(self):
        self.run_setup("install", self.folder)
        (self.folder / SYSTEM32).write_bytes(b"the user's own")
        self.assert_refused("was changed after", ["install"])
        self.both("remove", tree_of(self.world))
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"the user's own")
        self.assertEqual((self.folder / ".ws2_32-kept/0-ws2_32.dll").read_bytes(), b"Wine's, 64-bit")

    def test_paths_with_blanks_ends_of_lines_and_bytes_of_no_ascii(self):
        for name in ("Mein Präfix 'x' \"y\" $HOME *", os.fsdecode(b"caf\xe9"), "two\nlines", "an end of line\n"):
            other, there = self.world / name, self.scratch / f"of {name}"
            self.folder.rename(other)
            self.releases["install"].rename(there)
            self.folder, self.releases["install"] = other, there
            before = tree_of(self.world)
            self.run_setup("install", other)
            self.assertTrue(prefix.status(other)[0])
            self.run_setup("remove", other)
            self.assertEqual(tree_of(self.world), before)

    def test_status(self):
        env = {"WINE": "/no/wine"}
        self.assertIn("is not installed", self.run_setup("status", self.folder, **env))
        self.run_setup("install", self.folder)
        told = self.run_setup("status", self.folder, **env)
        for text in ("is installed", f"{SYSWOW64}: ours", "override ws2_32: native,builtin", "was not asked"):
            self.assertIn(text, told)
        (self.folder / UNIX).write_bytes(b"x")
        self.assertIn(f"{UNIX}: not ours", self.run_setup("status", self.folder, **env))


    def test_status_starts_wine_in_the_locale_of_the_user(self):
        # In C, Wine finds no program in a folder whose name is not ASCII.
        wine = self.scratch / "wine"
        wine.write_text("#!/bin/sh\nprintf '# ws2_32: in %s' \"$LC_ALL\"\n")
        wine.chmod(0o755)
        self.run_setup("install", self.folder)
        for name in ("C.UTF-8", ""):
            self.assertIn(f"a program gets in {name}\n", self.run_setup("status", self.folder, WINE=str(wine), LC_ALL=name))

    def test_status_waits_for_a_verb_that_changes_something(self):
        words = [self.script("status"), "status", self.folder]
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as status:
                with self.assertRaises(subprocess.TimeoutExpired):
                    status.wait(0.5)
                fcntl.flock(handle, fcntl.LOCK_SH)
                self.assertEqual(status.wait(60), 1)
        finally:
            os.close(handle)


class Refusal(Case):
    def test_of_a_folder_that_is_no_prefix(self):
        (self.world / "other/drive_c").mkdir(parents=True)
        self.assert_refused("no Wine prefix", folder=self.world / "other")
        self.assert_refused("cannot open", folder=self.world / "nowhere")

    def test_while_a_wineserver_works_there(self):
        self.run_setup("install", self.folder)
        info = self.folder.stat()
        place = self.scratch / f"server-{info.st_dev:x}-{info.st_ino:x}"
        place.mkdir()
        with subprocess.Popen(["sleep", "600"], cwd=place) as server:
            self.assert_refused(f"process {server.pid}", ["install", "remove"])
            server.kill()
        self.run_setup("remove", self.folder)

    def test_while_a_wineserver_holds_its_lock(self):
        info = self.folder.stat()
        lock = self.folder / f"server-{info.st_dev:x}-{info.st_ino:x}" / "lock"
        lock.parent.mkdir()
        code = ("import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
                "print('held', flush=True); sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", code, lock], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            self.assertEqual(holder.stdout.readline(), b"held\n")
            self.assert_refused(f"process {holder.pid}", ["install"])
            holder.stdin.close()
        self.run_setup("install", self.folder)

    def test_of_an_archive_that_is_not_whole(self):
        for damage in (lambda place: place.write_bytes(b"x"), Path.unlink):
            damage(self.releases["install"] / "i386/ws2_32.dll")
            self.assert_refused("unpack the archive anew", ["install"])

    @unittest.skipIf(os.geteuid() != 0, "only root can give files away")
    def test_of_somebody_elses_prefix(self):
        os.chown(self.folder, 12345, 12345)
        self.assert_refused("belongs to the user")

    @unittest.skipIf(os.geteuid() != 0, "only root can mount a small file system")
    def test_on_a_disk_that_is_really_full(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        folder = make_prefix(disk / "prefix")
        refused = 0
        for pages_left in range(0, 60, 2):
            (disk / "filler").write_bytes(b"")
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            (disk / "filler").write_bytes(b"x" * max(0, free - 4096 * pages_left))
            before = tree_of(folder)
            try:
                self.run_setup("install", folder)
                break
            except Failure as failure:
                refused += 1
                self.assertIn("Nothing was changed", str(failure))
                self.assertEqual(tree_of(folder), before)
        self.assertGreater(refused, 3)
        self.assertTrue(prefix.status(folder)[0], "there was room at last")

    @unittest.skipIf(os.geteuid() != 0, "only root can mount a small file system")
    def test_where_user_reg_has_no_room_in_the_folder_for_scratch_files(self):
        # What is last in the file is written last: nothing, where our value was.
        disk = self.scratch / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", disk], check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        path = self.folder / "user.reg"
        for override in (b"", b'"ws2_32"="builtin"\n'):
            path.write_bytes(b"WINE REGISTRY Version 2\n\n[A] 1\n" + b'"b"="c"\n' * 3000
                             + b'\n[Software\\\\Wine\\\\DllOverrides] 1\n"zlib"="native"\n' + override)
            edited = b"; edited\n" + path.read_bytes()
            self.run_setup("install", self.folder)
            path.write_bytes(b"; edited\n" + path.read_bytes())
            before = tree_of(self.world)
            with self.assertRaisesRegex(Failure, "Nothing was changed"):
                self.run_setup("remove", self.folder, TMPDIR=str(disk))
            self.assertEqual(tree_of(self.world), before)
            self.run_setup("remove", self.folder)
            self.assertEqual(path.read_bytes(), edited)

    @unittest.skipIf(os.geteuid() != 0, "only root can mount")
    def test_on_a_disk_that_is_read_only(self):
        if subprocess.run(["mount", "--bind", "-o", "ro", self.folder, self.folder], check=False).returncode:
            self.skipTest("cannot mount here")
        try:
            self.assert_refused("Nothing was changed", ["install"])
        finally:
            subprocess.run(["umount", self.folder], check=True)


class Planted(Case):
    """In a prefix whose maker has planted things: nothing outside is touched, and nothing is lost."""

    NAMES = (".ws2_32", ".ws2_32-kept",
             *(f".ws2_32/{name}" for name in ("installed", "staging", "removing", "record.new", "saved", "lib",
                                              "lib/x86_64-windows", "lib/x86_64-unix", "saved/0-ws2_32.dll",
                                              "saved/user.reg")),
             *(name + suffix for name in (SYSTEM32, SYSWOW64, NTKE, UNIX, UNIX32, "user.reg",
                                          ".ws2_32/lib/x86_64-unix/ntke.so") for suffix in ("", ".ws2_32-new")),
             "drive_c", "drive_c/windows", "drive_c/windows/system32", "drive_c/windows/syswow64", "system.reg",
             "wineserver")
    EVERY = 7  # of the combinations, since each takes three runs

    def setUp(self):
        super().setUp()
        self.outside = self.world / "outside"
        (self.outside / "folder").mkdir(parents=True)
        for name in ("secret", "folder/secret", "folder/ws2_32.dll", "folder/installed"):
            (self.outside / name).write_bytes(b"a secret")
        signal.signal(signal.SIGALRM, lambda *_: self.fail("it hangs"))
        signal.alarm(600)
        self.addCleanup(signal.alarm, 0)

    def seen_outside(self) -> dict:
        return {path: (path.lstat().st_ctime_ns, path.is_file() and path.read_bytes())
                for path in [self.outside, *self.outside.rglob("*")]}

    def states(self):
        fresh = tree_of(self.world)
        yield "before an install", fresh
        trees = self.watch_setup("install", self.folder)
        yield "an install killed while staging", trees[len(trees) // 2]
        yield "after an install", tree_of(self.world)
        trees = self.watch_setup("remove", self.folder)
        yield "a remove killed", trees[len(trees) // 2]
        make_tree(self.world, fresh)

    def test_things_are_refused_or_left_alone(self):
        combinations = itertools.product(list(self.states()), kinds_to_plant(self.outside), self.NAMES)
        for (state, tree), (kind, plant), name in itertools.islice(combinations, 0, None, self.EVERY):
            make_tree(self.world, tree)
            path = self.folder / name
            if not path.parent.is_dir():
                continue
            if os.path.lexists(path):
                path.rename(self.world / "away")
            plant(path)
            planted = next(entry for entry in tree_of(self.world) if entry[0] == f"prefix/{name}")
            with self.subTest(f"{state}, {kind} as {name}"):
                self.run_all()
                if not name.startswith(".ws2_32/") and not name.endswith(".ws2_32-new"):  # those are ours
                    self.assertTrue(any(entry[1:6] == planted[1:6] for entry in tree_of(self.world)), "it is lost")

    def run_all(self) -> None:
        outside = self.seen_outside()
        for verb in ("install", "remove", "status"):
            before = tree_of(self.world)
            try:
                self.run_setup(verb, self.folder, WINE="/no/wine")
            except Failure as failure:
                self.assertNotIn("not found", str(failure))
                if "Nothing was changed" in str(failure):
                    self.assertEqual(tree_of(self.world), before, failure)
            self.assertEqual(self.seen_outside(), outside, verb)

    def test_records_are_refused(self):
        some = "0" * 64
        bad = ["", "hop", "keep", "keep user.reg", f"file ../outside/secret {some} 0-ws2_32.dll", f"file {SYSTEM32} - x",
               f"file {SYSTEM32} {some} ../x", f"file {SYSTEM32} {some} -", f"file {SYSTEM32} ! 0-ws2_32.dll",
               f"file {SYSTEM32} {some} user.reg", f"new ../outside/secret {some}", f"pair ../x {some}",
               "new user.reg -", f"new user.reg {some[1:]}", f"file {SYSTEM32} - -\nfile {SYSTEM32} - -",
               f"file {SYSTEM32} {some} 0-ws2_32.dll\nfile {SYSWOW64} {some} 0-ws2_32.dll", "edit a b c d",
               "edit a b - d yes", "edit a b c d maybe", " keep", "edit a  b c d yes", "edit %4 b c d yes"]
        (self.folder / ".ws2_32").mkdir()
        texts = [f"ws2_32 5\n{line}\nend\n" for line in bad] + [
            "", "end\n", "ws2_32 5\n", "ws2_32 5\nend", "ws2_32 6\nend\n", "ws2_32 5\nend\nend\n", "{}"]
        for number, text in enumerate(texts):
            name = ("installed", "staging", "removing")[number % 3]
            (self.folder / ".ws2_32" / name).write_bytes(text.encode())
            with self.subTest(text):
                self.assert_refused("damaged")
            (self.folder / ".ws2_32" / name).unlink()


if __name__ == "__main__":
    unittest.main()
