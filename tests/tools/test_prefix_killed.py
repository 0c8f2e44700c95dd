"""Whatever happens to `ws2 prefix`, and whenever: nothing is lost, and the next verb puts it right.

A verb that is killed leaves what the calls before have made of the prefix, and nothing else of it lives
on. So what a kill at each of its calls leaves is seen by looking after each call of one run; and from there
every verb is run again, until nothing new comes of it. That covers every sequence of verbs, of any length,
each killed anywhere or not at all. In each state each call of each verb also meets a full and a read-only
disk, and what that leaves is a state to go on from as well.
"""

import errno
import os
import signal
import sys
import unittest
from collections import deque
from dataclasses import dataclass

from prefix_world import (NTKE, PAST, SYSTEM32, SYSWOW64, UNIX, UNIX32, WorldCase, earlier_record, make_build, make_earlier,
                          make_link, make_prefix, make_tree, tree_of)
from ws2lib import paths, prefix, prefix_files, prefix_layout, prefix_server
from ws2lib.ui import Failure

EDIT = b'\n[Software\\\\Mine] 1\n"x"="y"\n'
ROOM = (os.write, os.mkdir, os.link, os.symlink, os.setxattr)  # and a new file
CHANGING = (*ROOM, os.fsync, os.rename, os.unlink, os.rmdir, os.fchmod, os.fchown, os.chown, os.utime)


def needs_room(function, words) -> bool:
    return function in ROOM or function is os.open and bool(words[1] & os.O_CREAT)


class System:
    """In the place of prefix_files.call(). `wrong` may raise instead of a changing call, whose number it
    gets; `after` is called after each. Writes are cut in two, for a kill may do that."""

    def __init__(self, wrong=None, after=None):
        self.calls = 0
        self.inside = False
        self._wrong, self._after = wrong, after

    def call(self, function, *words, **named):
        self.inside = True
        try:
            return self._call(function, words, named)
        finally:
            self.inside = False

    def _call(self, function, words, named):
        if function not in CHANGING and not needs_room(function, words):
            return function(*words, **named)
        self.calls += 1
        if self._wrong:
            self._wrong(self.calls - 1, function, words)
        if function is os.write and len(words[1]) > 1:
            words = (words[0], words[1][:len(words[1]) // 2 + 1])
        try:
            return function(*words, **named)
        finally:
            if self._after:
                self._after(function)


def full_from(number: int):
    """A disk that is full from a call on."""
    def wrong(at, function, words):
        if at >= number and needs_room(function, words):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return wrong


def full_once(number: int):
    """A disk that is full at one call, of whatever kind: some file systems need room for a rename."""
    def wrong(at, _function, _words):
        if at == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return wrong


def read_only_from(number: int):
    def wrong(at, _function, _words):
        if at >= number:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return wrong


class WithoutHardLinks(System):
    def _call(self, function, words, named):
        if function is os.link:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        return super()._call(function, words, named)


class OnTwoDisks(System):
    """What is below a folder named `disk` is on another file system."""

    def _call(self, function, words, named):
        if function in (os.link, os.rename):
            sides = {"/disk" in os.readlink(f"/proc/self/fd/{named[side]}")
                     for side in ("src_dir_fd", "dst_dir_fd")}
            if len(sides) > 1:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return super()._call(function, words, named)


class Case(WorldCase):
    """A prefix in a small world that can be made to hold anything, and verbs to run on it."""

    def setUp(self):
        super().setUp()
        self.world = self.scratch / "world"
        self.folder = make_prefix(self.world / "prefix")
        self.now: tuple = ()  # what the world holds, if that is known
        self.builds = {"install": make_build(self.scratch / "first", "first"),
                       "upgrade": make_build(self.scratch / "second", "second")}
        self.builds["install without ntke"] = self.builds["install"]
        self.patch(prefix_server, "wineserver_of", lambda folder: None)  # looks at every process
        self.patch(prefix, "wineserver_of", lambda folder: None)

    def run_verb(self, verb: str, system: System) -> None:
        if verb == "write user.reg":
            self.write_user_reg()
            return
        paths.DIST = self.builds.get(verb, paths.DIST)
        real, prefix_files.call = prefix_files.call, system.call
        try:
            if verb == "remove":
                prefix.remove(self.folder)
            else:
                prefix.install(self.folder, ntke=verb != "install without ntke")
        finally:
            prefix_files.call = real

    def write_user_reg(self) -> None:
        """As Wine does when a program has set something."""
        (self.folder / "written").write_bytes((self.folder / "user.reg").read_bytes() + EDIT)
        os.rename(self.folder / "written", self.folder / "user.reg")

    def run_on(self, tree: tuple, verb: str, system: System | None = None) -> tuple[tuple, str | None]:
        """What a verb makes of a prefix, and its complaint."""
        self.become(tree)
        complaint = None
        try:
            self.run_verb(verb, system or System())
        except Failure as failure:
            complaint = str(failure)
        self.now = tree_of(self.world)
        return self.now, complaint

    def become(self, tree: tuple) -> None:
        make_tree(self.world, tree, self.now)
        self.now = tree

    def look(self, trees: list, function) -> None:
        trees.append(trees[-1] if function is os.fsync else tree_of(self.world))

    def is_whole(self) -> bool:
        """Whether our DLL is in the prefix as it is, which changes nothing."""
        before = tree_of(self.world)
        whole = prefix.status(self.folder)[0]
        self.assertEqual(tree_of(self.world), before)
        return whole


@dataclass(frozen=True)
class State:
    """What the world holds, and what it has to hold when our DLL is taken out."""
    tree: tuple
    before: tuple


class Explorer:
    """Gets a prefix into every state there is, and runs every verb there."""

    def __init__(self, case: Case, verbs=("install", "remove"), system=System):
        self.case, self.verbs, self.system = case, verbs, system
        self.how: dict[State, str] = {}  # each state that was found, and how one gets there
        self.settled: set[tuple] = set()  # where no verb was interrupted
        self.wanted: deque[State] = deque()
        self.failed: set[tuple] = set()
        self.runs = 0

    def explore(self, before: tuple | None = None) -> None:
        """`before`: what is to come back, if it is not what is there."""
        now = tree_of(self.case.world)
        self.settled.add(now)
        self.add(State(now, before or now), "a prefix")
        while self.wanted:
            state = self.wanted.popleft()
            self.case.become(state.tree)
            self.case.is_whole()
            for verb in self.verbs:
                if verb == "write user.reg":
                    self.write_user_reg(state)
                else:
                    self.try_out(state, verb)

    def add(self, state: State, how: str) -> None:
        if state not in self.how:
            self.how[state] = how
            self.wanted.append(state)

    def write_user_reg(self, state: State) -> None:
        """Once, or it would never end."""
        if EDIT not in b"".join(content for _, kind, content, *_ in state.before if kind == "file"):
            before, _ = self.case.run_on(state.before, "write user.reg")
            tree, _ = self.case.run_on(state.tree, "write user.reg")
            self.add(State(tree, before), f"{self.how[state]}; user.reg written")

    def try_out(self, state: State, verb: str) -> None:
        """Runs a verb, and again with each of its calls going wrong."""
        how = f"{self.how[state]}; {verb}"
        trees = [state.tree]  # before each changing call
        system = self.system(after=lambda function: self.case.look(trees, function))
        done, complaint = self.case.run_on(state.tree, verb, system)
        self.check_done(state, verb, done, complaint, how)
        self.settled.add(done)
        self.add(State(done, state.before), how)
        self.runs += 1
        for number, tree in enumerate(trees[:-1]):
            self.add(State(tree, state.before), f"{how}, killed at call {number}")
            # With as much still to do and the same on disk, another way there goes wrong in the same way.
            if (key := (verb, len(trees) - number, tree, state.before)) not in self.failed:
                self.failed.add(key)
                self.go_wrong(state, verb, number, tree)

    def check_done(self, state: State, verb: str, done: tuple, complaint: str | None, how: str) -> None:
        self.case.assertIsNone(complaint, how)
        if verb == "remove":
            self.case.assertEqual(done, state.before, how)
        else:
            self.case.assertTrue(self.case.is_whole(), how)

    def go_wrong(self, state: State, verb: str, number: int, tree: tuple) -> None:
        for wrong in (full_from, full_once, read_only_from):
            how = f"{self.how[state]}; {verb}, {wrong.__name__} call {number}"
            done, complaint = self.case.run_on(state.tree, verb, self.system(wrong(number)))
            self.runs += 1
            if complaint is None:
                self.check_done(state, verb, done, complaint, how)
            elif wrong is read_only_from:
                self.case.assertEqual(done, tree, how)
            elif state.tree in self.settled:
                self.check_refused(state, verb, wrong, done, complaint, how)
            self.add(State(done, state.before), how)

    def check_refused(self, state: State, verb: str, wrong, done: tuple, complaint: str, how: str) -> None:
        """A full disk changes nothing; but a newer DLL that went in half stays so, and a remove goes on
        with the next one, when a rename needed room; and they say so."""
        fresh = state.tree == state.before
        if fresh or wrong is full_from and self.system is System or "Nothing was changed" in complaint:
            self.case.assertEqual(done, state.tree, f"{how}: {complaint}")
            self.case.assertIn("Nothing was changed", complaint, how)
        else:
            self.case.assertNotEqual(done, state.tree, how)


class OfEarlierVersion(Explorer):
    """With a record to be written anew first, which stays so when what comes after it is refused."""

    def check_refused(self, *_) -> None:
        pass


class Everywhere(Case):
    """Every state of prefixes of several kinds."""

    def explore(self, *verbs: str, at_least: int, **more) -> None:
        explorer = Explorer(self, *([verbs] if verbs else []), **more)
        explorer.explore()
        self.assertGreater(len(explorer.how), at_least)

    def test_plain_files_and_a_newer_dll(self):
        self.explore("install", "upgrade", "remove", at_least=200)

    def test_a_record_of_an_earlier_version(self):
        before = tree_of(self.world)
        self.run_verb("install", System())
        make_earlier(self.folder, earlier_record(self.folder))
        explorer = OfEarlierVersion(self, ("upgrade", "remove"))
        explorer.explore(before)
        self.assertGreater(len(explorer.how), 200)

    def test_ntke_added_later(self):
        self.explore("install without ntke", "install", "remove", at_least=120)

    def test_a_registry_written_meanwhile(self):
        make_prefix(self.folder, b'"WS2_32"="builtin"\n')
        self.explore("install", "remove", "write user.reg", at_least=200)

    def test_several_values_in_sections_that_are_not_there(self):
        program = rb"Software\\Wine\\AppDefaults\\a.exe\\DllOverrides"
        self.patch(prefix_layout, "REGISTRY", [*prefix_layout.REGISTRY, (program, b"ws2_32", b"builtin"),
                                               (prefix_layout.DLL_OVERRIDES, b"another", b"native")])
        (self.folder / "user.reg").write_bytes(b'WINE REGISTRY Version 2\n\n[A] 1\n"x"="y"\n')
        self.explore("install", "remove", "write user.reg", at_least=200)

    def links(self, dll, user_reg) -> None:
        for target in (dll, user_reg):
            place = (self.folder / SYSTEM32).parent / target if target is dll else self.folder / target
            place.parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.folder / "user.reg", self.folder / user_reg)
        os.rename(self.folder / SYSTEM32, (self.folder / SYSTEM32).parent / dll)
        make_link(self.folder / "user.reg", user_reg)
        make_link(self.folder / SYSTEM32, dll)
        self.explore(at_least=80)

    def test_relative_links(self):
        self.links("../shared/ws2_32.dll", "../outside/user.reg")

    def test_absolute_links(self):
        self.links(self.world / "outside/ws2_32.dll", self.world / "outside/user.reg")

    def test_dangling_links(self):
        make_link(self.folder / SYSTEM32, "nowhere.dll")
        make_link(self.folder / SYSWOW64, "/nowhere/at/all.dll")
        make_link(self.folder / NTKE, "../../../../nowhere")
        make_link(self.folder / UNIX, "nowhere.dll")
        self.explore(at_least=80)

    def test_no_files(self):
        for name in (SYSTEM32, SYSWOW64):
            (self.folder / name).unlink()
        self.explore(at_least=70)

    def test_modules_of_ntke_and_an_override_of_the_users_own(self):
        make_prefix(self.folder, b'"ws2_32"="native,builtin"\n')
        for name in (NTKE, UNIX, UNIX32):
            (self.folder / name).write_bytes(b"somebody else's " + name.encode())
            os.chmod(self.folder / name, 0o444)
            os.utime(self.folder / name, ns=(PAST, PAST))
        self.explore(at_least=70)

    def test_our_very_dll_put_there_by_hand(self):
        (self.folder / SYSTEM32).write_bytes((self.builds["install"] / "x86_64/ws2_32.dll").read_bytes())
        os.utime(self.folder / SYSTEM32, ns=(PAST, PAST))
        self.explore(at_least=70)

    def test_no_hard_links(self):
        os.chmod(self.folder / SYSTEM32, 0o755)
        self.explore(at_least=80, system=WithoutHardLinks)

    def test_drive_c_on_another_disk(self):
        os.rename(self.folder / "drive_c", self.world / "disk")
        make_link(self.folder / "drive_c", "../disk")
        make_link(self.folder / SYSWOW64, "nowhere.dll")
        self.explore(at_least=80, system=OnTwoDisks)


class Kill(Case):
    """Why it is right to look at what a run has made so far for what a kill leaves."""

    VERBS = ("install", "upgrade", "remove")

    def test_leaves_what_had_been_done(self):
        tree = tree_of(self.world)
        for verb in self.VERBS:
            trees = [tree]
            system = System(after=lambda function: self.look(trees, function))  # pylint: disable=cell-var-from-loop
            done, _ = self.run_on(tree, verb, system)
            self.assertGreater(len(trees), 20)
            for number, expected in enumerate(trees[:-1]):
                self.assertEqual(self.kill(tree, verb, number), expected, f"{verb} killed at call {number}")
            tree = done

    def kill(self, tree: tuple, verb: str, number: int) -> tuple:
        def wrong(at, _function, _words):
            if at == number:
                os.kill(os.getpid(), signal.SIGKILL)

        self.become(tree)
        child = os.fork()
        if not child:
            try:
                self.run_verb(verb, System(wrong))
            finally:
                os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], signal.SIGKILL)
        self.now = tree_of(self.world)
        return self.now

    def test_is_possible_at_every_call(self):
        # No change of the file system goes another way than prefix_files.call().
        system, elsewhere = System(), []

        def audit(event, words):
            changing = event in ("os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.symlink",
                                 "os.chmod", "os.chown", "os.utime", "os.truncate", "os.setxattr") \
                or event == "open" and isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)
            if watching and changing and not system.inside:
                elsewhere.append((event, words))

        watching = False
        sys.addaudithook(audit)  # for good: there is no way to take it away
        for verb in self.VERBS:
            watching = True
            self.run_verb(verb, system)
            watching = False
        self.assertEqual(elsewhere, [])
        watching = True
        os.utime(self.folder)
        watching = False
        self.assertTrue(elsewhere, "what goes another way is seen")


if __name__ == "__main__":
    unittest.main()
