"""Whenever release/setup.sh is killed, nothing is lost, and whatever verb comes next puts it right: its own or
one of `ws2 prefix`, and the other way round.

What a kill leaves is what the commands before have made of the prefix; so one run, with a look after each of its
commands, shows all of it. From every such state every verb of both is run to its end.
"""

import os
import shutil
import subprocess
import unittest

from prefix_world import (NTKE, PAST, SYSTEM32, SYSWOW64, UNIX, UNIX32, earlier_record, make_earlier, make_link,
                          make_prefix, make_tree, tree_of)
from setup_world import SetupCase
from ws2lib import paths, prefix, prefix_files, prefix_server
from ws2lib.ui import Failure


class Case(SetupCase):
    def setUp(self):
        super().setUp()
        self.folder = make_prefix(self.world / "prefix")
        self.patch(prefix_server, "wineserver_of", lambda folder: None)  # looks at every process
        self.patch(prefix, "wineserver_of", lambda folder: None)

    def become(self, tree: tuple) -> None:
        """What is there stays where it is meant to be: there may be another disk in it."""
        make_tree(self.world, tree, tree_of(self.world))

    def prefix_verb(self, verb: str) -> None:
        """The verb of `ws2 prefix`."""
        paths.DIST = self.builds.get(verb, self.builds["install"])
        (prefix.remove if verb == "remove" else prefix.install)(self.folder)

    def watch_prefix(self, verb: str) -> list[tuple]:
        """What a kill of `ws2 prefix` may leave."""
        trees = [tree_of(self.world)]

        def call(function, *words, **named):
            result = function(*words, **named)
            if function in (os.write, os.mkdir, os.link, os.symlink, os.rename, os.unlink, os.rmdir, os.fchmod) \
                    or function is os.open and words[1] & os.O_CREAT:
                trees.append(tree_of(self.world))
            return result

        real, prefix_files.call = prefix_files.call, call
        try:
            self.prefix_verb(verb)
        finally:
            prefix_files.call = real
        return trees

    def check(self, run, verb: str, tree: tuple, before: tuple, how: str) -> None:
        self.become(tree)
        try:
            run(verb)
        except Failure as failure:
            self.fail(f"{how}: {failure}")
        now = tree_of(self.world)
        if verb == "remove":
            self.assertEqual(now, before, how)
        else:
            whole, lines = prefix.status(self.folder)
            self.assertTrue(whole, f"{how}: {lines}")
            self.prefix_verb("remove")
            self.assertEqual(tree_of(self.world), before, how)

    def explore(self, *verbs: str, every: int = 1, at_least: int = 20, **env: str) -> None:
        """Runs verbs one after the other, and goes on from each state that a kill of one of them leaves; `every`:
        with setup.sh from one of so many only, for a run of it takes a while."""
        before, seen, number = tree_of(self.world), set(), 0
        now = before
        for verb in verbs:
            self.become(now)
            watched = {"setup.sh": self.watch_setup(verb, self.folder, **env)}
            after = tree_of(self.world)
            self.become(now)
            watched["ws2 prefix"] = self.watch_prefix(verb)
            self.assertEqual(tree_of(self.world), after, f"{verb} of both does the same")
            for who, trees in watched.items():
                for tree in dict.fromkeys(trees):
                    if tree in seen:
                        continue
                    seen.add(tree)
                    number += 1
                    how = f"{verb} of {who}, killed in state {len(seen)}"
                    if who == "setup.sh":
                        for next_verb in ("upgrade", "remove"):
                            self.check(self.prefix_verb, next_verb, tree, before, f"{how}; ws2 prefix {next_verb}")
                    if number % every == 0:
                        for next_verb in ("upgrade", "remove") if number % (2 * every) else ("install", "remove"):
                            self.check(lambda verb: self.run_setup(verb, self.folder), next_verb, tree, before,
                                       f"{how}; setup.sh {next_verb}")
            now = after
        self.assertGreater(len(seen), at_least)


class Everywhere(Case):
    def test_plain_files_and_a_newer_dll(self):
        self.explore("install", "upgrade", "remove", every=3, at_least=80)

    def test_links_of_every_kind_a_file_of_the_users_own_and_none(self):
        (self.world / "outside").mkdir()
        for name in ("64.dll", "32.dll", "user.reg"):
            (self.world / "outside" / name).write_bytes((self.folder / "user.reg").read_bytes())
        make_link(self.folder / SYSTEM32, "../../../../outside/64.dll")
        make_link(self.folder / SYSWOW64, self.world / "outside/32.dll")
        make_link(self.folder / NTKE, "no where%\n-\\é\udcff")
        (self.folder / UNIX).write_bytes(b"somebody else's")
        os.chmod(self.folder / UNIX, 0o444)
        os.utime(self.folder / UNIX, ns=(PAST, PAST))
        make_link(self.folder / UNIX32, self.world / "outside")
        make_link(self.folder / "user.reg", "../outside/user.reg")
        self.explore("install", "remove", every=4, at_least=60)

    def test_no_files_an_override_and_no_hard_links(self):
        make_prefix(self.folder, b'"WS2_32"="builtin"\n')
        (self.folder / SYSTEM32).unlink()
        os.chmod(self.folder / SYSWOW64, 0o755)
        self.explore("install", "remove", every=4, NO_LINKS="1")

    @unittest.skipIf(os.geteuid() != 0, "only root can mount another disk")
    def test_drive_c_on_another_disk(self):
        disk = self.world / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=False).returncode:
            self.skipTest("cannot mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        shutil.move(self.folder / "drive_c", disk / "drive_c")
        make_link(self.folder / "drive_c", "../disk/drive_c")
        make_link(self.folder / SYSWOW64, "nowhere.dll")
        self.explore("install", "remove", every=4)

    def test_a_registry_written_after_the_install(self):
        before = (self.folder / "user.reg").read_bytes()
        self.run_setup("install", self.folder)
        path = self.folder / "user.reg"
        path.write_bytes(path.read_bytes() + b'\n[Software\\\\Mine] 1\n"x"="y"\n')
        now = tree_of(self.world)
        trees = dict.fromkeys(self.watch_setup("remove", self.folder))
        after = tree_of(self.world)
        self.assertEqual(path.read_bytes(), before + b'\n[Software\\\\Mine] 1\n"x"="y"\n')
        for number, tree in enumerate([now, *trees]):
            self.check(self.prefix_verb, "remove", tree, after, f"state {number}; ws2 prefix remove")
            if number % 3 == 0:
                self.check(lambda verb: self.run_setup(verb, self.folder), "remove", tree, after, f"state {number}")


class Kill(Case):
    def test_leaves_what_had_been_done(self):
        fresh = tree_of(self.world)
        for verb in ("install", "remove"):
            now = tree_of(self.world)
            trees = self.watch_setup(verb, self.folder)
            done = tree_of(self.world)
            self.assertGreater(len(trees), 15)
            for number in range(3, len(trees), 6):
                self.become(now)
                self.kill_setup(verb, self.folder, number)
                self.assertEqual(tree_of(self.world), trees[number], f"{verb} killed after change {number}")
            self.become(done)
        self.assertEqual(tree_of(self.world), fresh)


class Records(Case):
    def test_of_an_earlier_version_are_left_to_ws2_prefix(self):
        self.prefix_verb("install")
        make_earlier(self.folder, earlier_record(self.folder))
        before = tree_of(self.world)
        for verb in ("install", "remove"):
            with self.assertRaisesRegex(Failure, "earlier version"):
                self.run_setup(verb, self.folder)
            self.assertEqual(tree_of(self.world), before)


if __name__ == "__main__":
    unittest.main()
