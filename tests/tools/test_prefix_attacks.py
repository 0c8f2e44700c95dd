"""`ws2 prefix` in the hands of root, in a prefix whose owner has planted things: nothing outside of it is
touched, nothing is lost, and what is wrong is told without a traceback."""

import contextlib
import errno
import itertools
import json
import os
import signal
import unittest
from pathlib import Path
from unittest import mock

from prefix_world import NTKE, PAST, SYSTEM32, SYSWOW64, UNIX, UNIX32, WorldCase, earlier_record, kinds_to_plant, \
    make_earlier, make_link, make_prefix, make_tree, tree_of
from ws2lib import paths, prefix, prefix_files, prefix_layout, prefix_open
from ws2lib.ui import Failure

STRANGER = 12345  # a user that owns nothing here
VERBS = (prefix.install, prefix.remove, prefix.status)


class AttackCase(WorldCase):
    """A prefix, and beside it what must not be touched."""

    def setUp(self):
        super().setUp()
        self.world = self.scratch / "world"
        self.folder = make_prefix(self.world / "prefix")
        self.outside = self.world / "outside"
        (self.outside / "folder").mkdir(parents=True)
        for name in ("secret", "folder/secret", "folder/ws2_32.dll", "folder/installed"):
            (self.outside / name).write_bytes(b"a secret")
            (self.outside / name).chmod(0o600)
        # Whoever opens a FIFO waits for ever.
        signal.signal(signal.SIGALRM, lambda *_: self.fail("it hangs"))
        signal.alarm(600)
        self.addCleanup(signal.alarm, 0)

    def seen_outside(self) -> dict:
        """With the time of the last change of any kind, which nobody can set."""
        return {path: (path.lstat().st_ctime_ns, path.is_file() and path.read_bytes())
                for path in [self.outside, *self.outside.rglob("*")]}

    def run_all(self, how: str, verbs=VERBS) -> None:
        """Each verb does its work or refuses it; one that says so has changed nothing."""
        outside = self.seen_outside()
        for verb in verbs:
            before = tree_of(self.world)
            try:
                verb(self.folder)
            except Failure as failure:
                if "Nothing was changed" in str(failure) or verb is prefix.status:
                    self.assertEqual(tree_of(self.world), before, f"{how}: {failure}")
            self.assertEqual(self.seen_outside(), outside, f"{verb.__name__}, {how}")

    def assert_refused(self, what: str, verbs=VERBS) -> None:
        before, outside = tree_of(self.world), self.seen_outside()
        for verb in verbs:
            with self.assertRaisesRegex(Failure, what):
                verb(self.folder)
            self.assertEqual(tree_of(self.world), before)
            self.assertEqual(self.seen_outside(), outside)


class OnTwoDisks:
    """In the place of prefix_files.call(): what is below a folder named `disk` is on another file system."""

    @staticmethod
    def call(function, *words, **named):
        if function in (os.link, os.rename):
            sides = {"/disk" in os.readlink(f"/proc/self/fd/{named[side]}") for side in ("src_dir_fd", "dst_dir_fd")}
            if len(sides) > 1:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return function(*words, **named)


class Planted(AttackCase):
    """Something that is in the way, at every name there is, before and after an install, and after one and a
    remove that were killed."""

    NAMES = [".ws2_32", ".ws2_32-kept",
             *(f".ws2_32/{name}" for name in (
                 "installed", "staging", "removing", "record.new", "installed.ws2_32-new", "manifest.json",
                 "saved", "lib", "lib/x86_64-windows", "lib/x86_64-unix", "saved/0-ws2_32.dll", "saved/user.reg")),
             *(name + suffix for name in (SYSTEM32, SYSWOW64, NTKE, UNIX, UNIX32, "user.reg",
                                                  ".ws2_32/lib/x86_64-unix/ntke.so")
               for suffix in ("", ".ws2_32-new")),
             "drive_c", "drive_c/windows", "drive_c/windows/system32", "drive_c/windows/syswow64", "system.reg",
             "wineserver"]

    def states(self):
        fresh = tree_of(self.world)
        yield "before an install", fresh
        yield "an install killed while staging", self.killed(prefix.install, "staging")
        prefix.install(self.folder)
        installed = tree_of(self.world)
        yield "after an install", installed
        yield "a remove killed", self.killed(prefix.remove, "removing")

    def killed(self, verb, record: str):
        """What a verb leaves a few calls after a record has appeared."""
        trees = []

        def call(function, *words, **named):
            result = function(*words, **named)
            if (self.folder / ".ws2_32" / record).exists():
                trees.append(tree_of(self.world))
            return result

        before = tree_of(self.world)
        real, prefix_files.call = prefix_files.call, call
        verb(self.folder)
        prefix_files.call = real
        make_tree(self.world, before)
        return trees[len(trees) // 2]

    def test_things_are_refused_or_left_alone(self):
        for (state, tree), (kind, plant), name in itertools.product(list(self.states()), kinds_to_plant(self.outside), self.NAMES):
            make_tree(self.world, tree)
            path = self.folder / name
            if not path.parent.is_dir():
                continue
            if os.path.lexists(path):
                path.rename(self.world / "away")
            plant(path)
            planted = next(entry for entry in tree_of(self.world) if entry[0] == f"prefix/{name}")
            with self.subTest(f"{state}, {kind} as {name}"):
                self.run_all(f"{state}, {kind} as {name}")
                if not name.startswith(".ws2_32/") and not name.endswith(".ws2_32-new"):  # those are ours
                    self.assertTrue(self.is_there(planted), f"{state}, {kind} as {name} is lost")

    def is_there(self, planted: tuple) -> bool:
        """Wherever it is, and if it is saved: remove has run."""
        return any(entry[1:6] == planted[1:6] for entry in tree_of(self.world))

    def test_a_lock_of_wineserver_that_is_no_file(self):
        info = self.folder.stat()
        server = self.folder / f"server-{info.st_dev:x}-{info.st_ino:x}"
        server.mkdir()
        os.mkfifo(server / "lock")
        self.run_all("a FIFO as the lock of wineserver")

    def test_new_files_of_the_users_own_stay(self):
        for name in (SYSTEM32, SYSWOW64, NTKE, UNIX, UNIX32, "user.reg"):
            path = self.folder / (name + ".ws2_32-new")
            path.write_bytes(b"the user's own")
            self.assert_refused("in the way", [prefix.install])
            path.unlink()
            prefix.install(self.folder)
            path.write_bytes(b"the user's own")
            self.assert_refused("in the way", [prefix.install, prefix.remove])
            path.unlink()
            prefix.remove(self.folder)

    def test_a_state_folder_of_the_users_own_stays(self):
        (self.folder / ".ws2_32/saved").mkdir(parents=True)
        (self.folder / ".ws2_32/saved/0-ws2_32.dll").write_bytes(b"the only one there is")
        self.assert_refused("no record")

    def test_a_file_of_the_users_in_the_state_folder_stays(self):
        prefix.install(self.folder)
        (self.folder / ".ws2_32/notes").write_bytes(b"mine")
        (self.folder / ".ws2_32/saved/notes").write_bytes(b"mine, too")
        self.assertIn("not ours", "\n".join(prefix.remove(self.folder)))
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"Wine's, 64-bit")
        self.assertEqual(sorted(path.name for path in (self.folder / ".ws2_32").rglob("*")),
                         ["notes", "notes", "saved"])


    def test_a_record_half_written_that_is_no_file_stays(self):
        (self.folder / ".ws2_32").mkdir()
        things = (os.mkfifo, os.mkdir, lambda path: make_link(path, self.outside / "secret"))
        for number, plant in enumerate(things):
            plant(self.folder / ".ws2_32/record.new")
            self.assert_refused("is no file")
            os.rename(self.folder / ".ws2_32/record.new", self.world / f"away-{number}")


class InTheLastMoment(AttackCase):
    """Things planted between looking and doing."""

    def race(self, is_moment, plant) -> int:
        """Installs with something planted around each call of a kind; returns how many there are."""
        fresh, moment = tree_of(self.world), 0
        while True:
            make_tree(self.world, fresh)
            outside, seen = self.seen_outside(), 0

            def call(function, *words, **named):
                nonlocal seen
                seen += is_moment(function, words)
                now = is_moment(function, words) and seen == moment + 1  # pylint: disable=cell-var-from-loop
                return plant(function, words, named) if now else function(*words, **named)

            with mock.patch.object(prefix_files, "call", call):
                try:
                    prefix.install(self.folder)
                except Failure:
                    pass
            self.assertEqual(self.seen_outside(), outside)
            if seen <= moment:
                make_tree(self.world, fresh)
                return moment
            moment += 1

    @staticmethod
    def is_new_file(function, words) -> bool:
        return function is os.open and bool(words[1] & os.O_CREAT)

    def test_before_a_file_is_made(self):
        def plant(function, words, named):
            os.symlink(self.outside / target, words[0], dir_fd=named["dir_fd"])
            return function(*words, **named)

        for target in ("secret", "new"):
            self.assertGreater(self.race(self.is_new_file, plant), 6)

    def test_before_a_file_is_read_or_renamed(self):
        def plant(function, words, named):
            place = named.get("dir_fd", named.get("src_dir_fd"))
            with contextlib.suppress(OSError):
                os.rename(words[0], "away", src_dir_fd=place, dst_dir_fd=place)
                os.symlink(self.outside / "secret", words[0], dir_fd=place)
            return function(*words, **named)

        def is_moment(function, words):
            return function in (os.open, os.rename) and words[0] != self.folder \
                and not self.is_new_file(function, words)

        self.assertGreater(self.race(is_moment, plant), 20)

    def test_before_status_looks_into_a_file(self):
        # Where the link leads there is no end.
        prefix.install(self.folder)
        real = prefix_open.OpenPrefix.identity

        def identity(opened, name):
            result = real(opened, name)
            make_link(opened.path / name, "/dev/zero")
            return result

        with mock.patch.object(prefix_open.OpenPrefix, "identity", identity), \
                self.assertRaisesRegex(Failure, "is no file"):
            prefix.status(self.folder)

    def test_after_a_folder_is_made(self):
        def plant(function, words, named):
            function(*words, **named)
            os.rmdir(words[0], dir_fd=named["dir_fd"])
            os.symlink(self.outside / "folder", words[0], dir_fd=named["dir_fd"])

        self.assertGreater(self.race(lambda function, _words: function is os.mkdir, plant), 4)


class Huge(AttackCase):
    """A file of holes, larger than all memory."""

    def test_is_refused_where_it_would_be_read(self):
        for name, installed, what in (
                (".ws2_32/installed", True, "too large"), (".ws2_32/staging", True, "too large"),
                (SYSTEM32, False, "is no file"), ("user.reg", False, "too large"), ("system.reg", False, "too large"),
                (UNIX + ".ws2_32-new", True, "in the way")):
            before = self.hold(name, installed)
            self.assert_refused(what, [prefix.install])
            make_tree(self.world, before)

    def test_in_the_place_of_ours_stays(self):
        for name, saved in ((SYSTEM32, "0-ws2_32.dll"), ("user.reg", "user.reg")):
            before = self.hold(name, True)
            with contextlib.suppress(Failure):
                prefix.status(self.folder)
            self.assertIn("stays as it is", "\n".join(prefix.remove(self.folder)))
            self.assertEqual((self.folder / name).stat().st_size, 1 << 42)
            self.assertTrue((self.folder / ".ws2_32-kept" / saved).is_file())
            make_tree(self.world, before)

    def hold(self, name: str, installed: bool) -> tuple:
        before = tree_of(self.world)
        if installed:
            prefix.install(self.folder)
        with open(self.folder / name, "ab") as file:
            file.truncate(1 << 42)
        return before


class Records(AttackCase):
    """A record that somebody has written, or that is damaged."""

    NAMES = ("installed", "staging", "removing")

    def write(self, data: bytes, name: str = "installed") -> None:
        (self.folder / ".ws2_32").mkdir(exist_ok=True)
        (self.folder / ".ws2_32" / name).write_bytes(data)

    def refuse(self, data: bytes, name: str) -> None:
        with self.subTest(name=name, data=data[:200]):
            self.write(data, name)
            self.assert_refused("damaged")
            (self.folder / ".ws2_32" / name).unlink()

    def test_that_are_no_record_are_refused(self):
        for name, data in itertools.product(self.NAMES, (
                b"", b"\n", b"end\n", b"ws2_32 5\n", b"ws2_32 5\nend", b"ws2_32 4\nend\n", b"ws2_32 6\nend\n",
                b"ws2_32 5\nend\n\n", b"ws2_32 5\nend\nend\n", b"ws2_32 5\n\nend\n", b"ws2_32 5\nkeep\nend\n",
                b"ws2_32 5\n keep user.reg\nend\n", b"ws2_32 5\nhop user.reg\nend\n", b"{}", b"\xff\xfe",
                b"ws2_32 5\nkeep \xff\nend\n", b"ws2_32 5\nkeep %\nend\n", b"ws2_32 5\nkeep %4g\nend\n")):
            self.refuse(data, name)

    def test_with_any_word_another_are_refused(self):
        prefix.install(self.folder)
        lines = (self.folder / ".ws2_32/installed").read_text().splitlines()
        (self.folder / ".ws2_32/installed").rename(self.world / "away")
        for number, line in enumerate(lines):
            words = line.split(" ")
            for at, wrong in itertools.product(range(len(words)), ("a", "-", "", "a b", "../x", "0" * 63, "0" * 65)):
                bad = [*words[:at], wrong, *words[at + 1:]]
                # Any text may be set, and stand where another line was.
                is_text = words[0] == "edit" and at in (1, 2, 3, 4) and wrong not in ("", "a b")
                if wrong == words[at] or is_text and (wrong != "-" or at == 4):
                    continue
                self.refuse("\n".join([*lines[:number], " ".join(bad), *lines[number + 1:], ""]).encode(), "installed")

    def test_with_any_part_lost_are_refused(self):
        prefix.install(self.folder)
        whole = (self.folder / ".ws2_32/installed").read_bytes()
        for length in range(0, len(whole), 37):
            self.write(whole[:length])
            self.assert_refused("damaged")
        self.write(whole)
        prefix.remove(self.folder)

    def test_that_name_other_files_are_refused(self):
        names = ("../outside/secret", "/etc/passwd", "../secret", "drive_c", ".", "system.reg",
                 f"{SYSTEM32}/../x", str(self.outside / "secret"), "%2E%2E/outside/secret")
        some = "0" * 64
        bad = [f"file {name} {some} 0-ws2_32.dll" for name in names]
        bad += [f"file {SYSTEM32} {some} {name}" for name in (*names, "user.reg", "saved/x")]
        bad += [f"{kind} {name} {some}" for kind in ("new", "pair") for name in names]
        bad += [f"keep {name}" for name in (*names, SYSTEM32)]
        bad += [f"file {SYSTEM32} - 0-ws2_32.dll", f"file {SYSTEM32} {some} -", f"file {SYSTEM32} ! 0-ws2_32.dll",
                f"file {SYSTEM32} - -\nfile {SYSTEM32} - -",
                f"file {SYSTEM32} {some} 0-ws2_32.dll\nfile {SYSWOW64} {some} 0-ws2_32.dll"]
        for text, name in itertools.product(bad, self.NAMES):
            self.refuse(f"ws2_32 5\n{text}\nend\n".encode(), name)

    def test_of_two_kinds_at_once_are_refused(self):
        prefix.install(self.folder)
        self.write((self.folder / ".ws2_32/installed").read_bytes(), "removing")
        self.assert_refused("damaged")

    def test_without_the_originals_leave_our_files(self):
        prefix.install(self.folder)
        (self.folder / ".ws2_32/saved/0-ws2_32.dll").unlink()
        told = prefix.remove(self.folder)
        self.assertIn("not in", "\n".join(told))
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), paths.dll("x86_64").read_bytes())
        self.assertEqual((self.folder / SYSWOW64).read_bytes(), b"Wine's, 32-bit")

    def test_of_earlier_versions_are_understood(self):
        for make in (lambda: make_earlier(self.folder, earlier_record(self.folder)), self.make_first_format):
            before = tree_of(self.world)
            prefix.install(self.folder)
            make()
            self.assertTrue(prefix.status(self.folder)[0])
            prefix.remove(self.folder)
            self.assertEqual(tree_of(self.world), before)
            prefix.install(self.folder)
            make()
            paths.dll("x86_64").write_bytes(b"a newer build")
            prefix.install(self.folder)
            self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"a newer build")
            self.assertEqual(sorted(os.listdir(self.folder / ".ws2_32")), ["installed", "lib", "saved"])
            prefix.remove(self.folder)
            self.assertEqual(tree_of(self.world), before)

    def make_first_format(self) -> None:
        """What the first version left in a prefix, but for the name of a saved file."""
        record = earlier_record(self.folder)
        user_reg = record["files"].pop("user.reg")
        for entry in record["files"].values():
            entry["saved"] = entry["saved"] and "saved/" + entry["saved"]
        (edit,) = record["edits"]
        make_earlier(self.folder, {
            "files": record["files"], "ntke": record["ntke"],
            "registry": {"mine": True, "line": edit["line"], "section_added": edit["section_added"],
                         "original": user_reg["original"], "written": user_reg["ours"][0]}})

    def test_of_earlier_versions_that_are_damaged_are_refused(self):
        prefix.install(self.folder)
        good = earlier_record(self.folder)
        (self.folder / ".ws2_32/installed").rename(self.world / "away")
        names = ("manifest.json", "staging.json", "removing.json")
        for data, name in itertools.product(
                (b"", b"{", b"[]", b"null", b"1", b'"a"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": 2}',
                 b'{"files": 1, "registry": null}', b'{"files": {"x": {}}, "registry": null}', b'{"format": 99}'), names):
            self.refuse(data, name)
        entry = {"original": "0" * 64, "saved": "0-ws2_32.dll", "ours": []}
        for more, name in itertools.product(
                ({"files": {"../outside/secret": entry}}, {"files": {SYSTEM32: dict(entry, saved="../x")}},
                 {"new": {"../secret": "0" * 64}}, {"keeping": ["../secret"]}, {"ntke": {"x": "0" * 64}}), names):
            self.refuse(json.dumps({**good, **more}).encode(), name)
        for place, wrong in itertools.product((good, good["files"][SYSTEM32], good["edits"][0], good["files"]),
                                              (1, 1.5, True, "a", ["a"], [1], {"a": 1}, [["a"]])):
            for field in list(place):
                real = place[field]
                if type(wrong) is type(real) and not isinstance(real, (list, dict)) or (field, wrong) in (
                        ("line", "a"), ("original", "a")):
                    continue
                place[field] = wrong
                self.refuse(json.dumps(good).encode(), "manifest.json")
                place[field] = real


@unittest.skipIf(os.geteuid() != 0, "only root can give files away")
class Root(AttackCase):
    """In somebody else's prefix."""

    def setUp(self):
        super().setUp()
        self.give(self.folder)

    def give(self, folder: Path) -> None:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)

    def test_leaves_everything_to_the_owner(self):
        before = tree_of(self.world)
        prefix.install(self.folder)
        owners = {path: path.lstat().st_uid for path in [self.folder, *self.folder.rglob("*")]}
        self.assertEqual(set(owners.values()), {STRANGER}, owners)
        prefix.remove(self.folder)
        self.assertEqual(tree_of(self.world), before)

    def test_gives_copies_to_the_owner_as_well(self):
        def call(function, *words, **named):
            if function is os.link:
                raise OSError(1, "Operation not permitted")
            return function(*words, **named)

        make_link(self.folder / SYSWOW64, "nowhere.dll")
        self.give(self.folder)
        before = tree_of(self.world)
        self.patch(prefix_files, "call", call)
        prefix.install(self.folder)
        self.assertEqual({path.lstat().st_uid for path in self.folder.rglob("*")}, {STRANGER})
        prefix.remove(self.folder)
        self.assertEqual(tree_of(self.world), before)

    def test_follows_drive_c_to_what_is_the_owners_only(self):
        os.rename(self.folder / "drive_c", self.world / "disk")
        make_link(self.folder / "drive_c", self.world / "disk")
        before = tree_of(self.world)
        prefix.install(self.folder)
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), paths.dll("x86_64").read_bytes())
        prefix.remove(self.folder)
        self.assertEqual(tree_of(self.world), before)
        os.chown(self.world / "disk", STRANGER + 1, STRANGER + 1)
        self.assert_refused("does not belong to the owner")

    def test_shows_no_file_that_the_owner_cannot_read(self):
        secret = self.outside / "user.reg"
        (self.folder / "user.reg").rename(secret)
        os.chown(secret, 0, 0)
        secret.chmod(0o600)
        make_link(self.folder / "user.reg", secret)
        self.assert_refused("does not belong to the owner", [prefix.install])
        (self.folder / "user.reg").unlink()
        os.link(secret, self.folder / "user.reg")
        prefix.install(self.folder)
        info = (self.folder / "user.reg").stat()
        self.assertEqual((info.st_uid, info.st_mode & 0o777), (0, 0o600))

    def test_gives_away_nothing_of_its_own_that_is_moved_in(self):
        # The owner may move what root keeps in the prefix to where a verb is at work, at any time.
        os.rename(self.folder / "drive_c", self.world / "disk")
        make_link(self.folder / "drive_c", self.world / "disk")
        make_link(self.world / "disk/windows/syswow64/ws2_32.dll", "nowhere.dll")
        for name in ("secret", "private/secret"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(b"what root alone may know")
            (self.folder / name).chmod(0o600)
            os.utime(self.folder / name, ns=(PAST, PAST))
        (self.folder / "private").chmod(0o700)
        self.give(self.world / "disk")
        os.chown(self.folder / "drive_c", STRANGER, STRANGER, follow_symlinks=False)
        moments = 0
        for verb in (prefix.install, prefix.remove):
            for name in (SYSTEM32, SYSWOW64, ".ws2_32/saved/0-ws2_32.dll", ".ws2_32/saved/1-ws2_32.dll",
                         SYSTEM32 + ".ws2_32-new", SYSWOW64 + ".ws2_32-new", ".ws2_32/staging",
                         ".ws2_32", ".ws2_32/saved", ".ws2_32/lib", ".ws2_32/lib/x86_64-unix"):
                moments += self.moved_in(verb, name)
            verb(self.folder)
        self.assertGreater(moments, 100)

    def moved_in(self, verb, name: str) -> int:
        """Runs a verb with something of root's moved in at each call; returns how often there was something there
        to be moved away."""
        tree, moment, found = tree_of(self.world), 0, 0
        place = self.folder / name
        while True:
            calls, moved = 0, None

            def call(function, *words, **named):
                nonlocal calls, moved
                calls += 1
                if calls > moment and moved is None and os.path.lexists(place):  # pylint: disable=cell-var-from-loop
                    moved = calls
                    os.rename(place, self.world / "away")
                    what = "private" if (self.world / "away").is_dir() and not (self.world / "away").is_symlink() \
                        else "secret"
                    os.rename(self.folder / what, place)
                return OnTwoDisks.call(function, *words, **named)

            with mock.patch.object(prefix_files, "call", call), contextlib.suppress(Failure):
                verb(self.folder)
            how = f"{verb.__name__}, {name} at call {moved}"
            kept = [entry for entry in tree_of(self.world) if entry[2] == b"what root alone may know"]
            for _, _, _, mode, time, owner, _ in kept:
                self.assertEqual((mode, time, owner), (0o600, PAST, (0, 0)), how)
            private = [entry for entry in tree_of(self.world) if entry[1] == "folder" and entry[3] == 0o700]
            self.assertEqual([entry[5] for entry in private], [(0, 0)], how)
            make_tree(self.world, tree)
            if moved is None:
                return found
            found, moment = found + 1, moved

    def test_makes_no_folder_where_a_link_of_the_owner_leads(self):
        make_link(self.folder / prefix_layout.STATE, self.outside / "folder")
        self.assert_refused("links are not followed")


if __name__ == "__main__":
    unittest.main()
