"""`ws2 prefix`: what each verb does, what it refuses, and what it keeps of the user's.

test_prefix_killed: when it is interrupted. test_prefix_attacks: when the prefix is not to be trusted."""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from prefix_world import NTKE, SYSTEM32, SYSWOW64, UNIX, UNIX32, WorldCase, earlier_record, make_earlier, make_prefix
from ws2lib import paths, prefix, prefix_layout, prefix_server, registry
from ws2lib.ui import Failure  # noqa: E402

OVERRIDE = prefix_layout.REGISTRY[0]


def snapshot(folder: Path) -> dict:
    """Every file of a prefix: kind, content, mode, modification time."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            seen[name] = ("link", os.readlink(path))
        elif path.is_file():
            info = path.stat()
            seen[name] = (hashlib.sha256(path.read_bytes()).hexdigest(), info.st_mode, info.st_mtime_ns)
        else:
            seen[name] = "folder"
    return seen


class PrefixCase(WorldCase):
    """A made-up prefix with both architectures."""

    def setUp(self):
        super().setUp()
        self.folder = make_prefix(self.scratch / "prefix")

    def override(self) -> bytes | None:
        return registry.get((self.folder / "user.reg").read_bytes(), *OVERRIDE[:2])

    def assert_no_ntke(self):
        for name in (NTKE, UNIX, UNIX32, ".ws2_32/lib"):
            self.assertFalse((self.folder / name).exists(), name)

    def assert_refused_unchanged(self, action, folder: Path | None = None) -> str:
        folder = folder or self.folder
        before = snapshot(folder)
        with self.assertRaises(Failure) as caught:
            action(folder)
        self.assertEqual(snapshot(folder), before)
        return str(caught.exception)


class Install(PrefixCase):
    def test_puts_both_dlls_and_the_override_in(self):
        prefix.install(self.folder)
        for name, arch in ((SYSTEM32, "x86_64"), (SYSWOW64, "i386")):
            self.assertEqual((self.folder / name).read_bytes(), paths.dll(arch).read_bytes())
        self.assertEqual(self.override(), OVERRIDE[2])
        self.assertTrue(prefix.status(self.folder)[0])

    def test_changes_nothing_else(self):
        before = snapshot(self.folder)
        prefix.install(self.folder)
        after = snapshot(self.folder)
        changed = {name for name in before if before[name] != after[name]}
        self.assertEqual(changed, {SYSTEM32, SYSWOW64, "user.reg"})
        added = {name for name in after if name not in before and not name.startswith(".ws2_32")}
        self.assertEqual(added, {NTKE, UNIX, UNIX32})

    def test_twice_is_the_same_as_once(self):
        prefix.install(self.folder)
        once = snapshot(self.folder)
        prefix.install(self.folder)
        self.assertEqual(snapshot(self.folder), once)

    def test_a_64_bit_prefix_gets_only_the_64_bit_dlls(self):
        shutil.rmtree(self.folder / "drive_c/windows/syswow64")
        (self.folder / "drive_c/windows/syswow64").mkdir()
        prefix.install(self.folder)
        self.assertEqual(list((self.folder / "drive_c/windows/syswow64").iterdir()), [])
        self.assertTrue((self.folder / NTKE).is_file())
        self.assertTrue((self.folder / UNIX).is_file())

    def test_of_one_architecture_only(self):
        before = snapshot(self.folder)
        paths.dll("i386").rename(self.scratch / "not-built")
        prefix.install(self.folder, only=["x86_64"])
        self.assertEqual((self.folder / SYSWOW64).read_bytes(), b"Wine's, 32-bit")
        self.assertFalse((self.folder / UNIX32).exists())
        whole, lines = prefix.status(self.folder)
        self.assertTrue(whole)
        self.assertIn("64-bit programs only", "\n".join(lines))
        (self.scratch / "not-built").rename(paths.dll("i386"))
        prefix.install(self.folder)
        self.assertTrue((self.folder / UNIX32).exists())
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_a_32_bit_prefix_gets_the_32_bit_dlls(self):
        (self.folder / "system.reg").write_bytes(b"WINE REGISTRY Version 2\n\n#arch=win32\n")
        prefix.install(self.folder)
        for name, source in ((SYSTEM32, paths.dll("i386")), (UNIX, paths.ntke_so("i386"))):
            self.assertEqual((self.folder / name).read_bytes(), source.read_bytes())
        self.assertFalse((self.folder / NTKE).exists())
        self.assertFalse((self.folder / ".ws2_32/lib").exists())
        self.assertTrue(prefix.has_ntke(self.folder))
        self.assertIn("ntke: there, for 32-bit programs", "\n".join(prefix.status(self.folder)[1]))

    def test_a_newer_build_replaces_the_older(self):
        before = snapshot(self.folder)
        prefix.install(self.folder)
        paths.dll("x86_64").write_bytes(b"a newer build")
        prefix.install(self.folder)
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"a newer build")
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_without_a_section_for_overrides(self):
        (self.folder / "user.reg").write_bytes(b"WINE REGISTRY Version 2\n\n#arch=win64\n\n[A] 1\n\"b\"=\"c\"\n")
        before = snapshot(self.folder)
        prefix.install(self.folder)
        self.assertEqual(self.override(), OVERRIDE[2])
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)


class Refusal(PrefixCase):
    def test_of_a_folder_that_is_no_prefix(self):
        other = self.scratch / "no-prefix"
        (other / "drive_c").mkdir(parents=True)
        for action in (prefix.install, prefix.remove, prefix.status):
            self.assertIn("no Wine prefix", self.assert_refused_unchanged(action, other))

    def test_of_a_folder_that_is_not_there(self):
        with self.assertRaises(Failure):
            prefix.install(self.scratch / "nowhere")
        self.assertFalse((self.scratch / "nowhere").exists())

    def test_while_a_wineserver_works_there(self):
        info = self.folder.stat()
        place = self.scratch / f"server-{info.st_dev:x}-{info.st_ino:x}"
        place.mkdir()
        server = subprocess.Popen(["sleep", "600"], cwd=place)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.assertIn(str(server.pid), self.assert_refused_unchanged(prefix.install))

    def test_while_a_wineserver_holds_its_lock(self):
        with self.locked():
            self.assertIn("wineserver", self.assert_refused_unchanged(prefix.install))
        prefix.install(self.folder)

    @unittest.skipIf(os.geteuid() != 0, "only root can be in a container")
    def test_while_a_wineserver_outside_of_the_container_holds_its_lock(self):
        code = (f"import sys; sys.path.insert(0, {str(paths.ROOT / 'tools')!r}); from pathlib import Path; "
                "from ws2lib import prefix_server; prefix_server.refuse_if_in_use(Path(sys.argv[1]))")
        with self.locked():
            done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, self.folder],
                                  check=False, capture_output=True, text=True)
        if "unshare" in done.stderr:
            self.skipTest(f"no container here: {done.stderr.strip()}")
        self.assertIn("wineserver is a process outside of this container", done.stderr)

    @contextlib.contextmanager
    def locked(self):
        """As a wineserver locks its prefix."""
        info = self.folder.stat()
        lock = self.folder / f"server-{info.st_dev:x}-{info.st_ino:x}" / "lock"
        lock.parent.mkdir()
        code = ("import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
                "print('held', flush=True); sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", code, lock], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            self.assertEqual(holder.stdout.readline(), b"held\n")
            yield
            holder.stdin.close()

    def test_of_removing_while_in_use(self):
        prefix.install(self.folder)
        with mock.patch.object(prefix_server, "wineserver_of", return_value=4711):
            self.assertIn("4711", self.assert_refused_unchanged(prefix.remove))

    def test_when_the_dll_is_not_built(self):
        paths.dll("i386").unlink()
        self.assert_refused_unchanged(prefix.install)

    @unittest.skipIf(os.geteuid() != 0, "only root can mount a small file system")
    def test_on_a_disk_that_is_really_full(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=False,
                                 capture_output=True, text=True)
        if mounted.returncode:
            self.skipTest(f"cannot mount here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        folder = make_prefix(disk / "prefix")
        refused = 0
        for pages_left in range(0, 100, 3):
            (disk / "filler").write_bytes(b"")
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            (disk / "filler").write_bytes(b"x" * max(0, free - 4096 * pages_left))
            before = snapshot(folder)
            try:
                prefix.install(folder)
                break
            except Failure:
                refused += 1
                self.assertEqual(snapshot(folder), before)
        self.assertGreater(refused, 5)
        self.assertTrue(prefix.status(folder)[0], "there was room at last")


class AtTheSameTime(PrefixCase):
    def test_status_waits_for_a_verb_that_changes_something(self):
        prefix.install(self.folder)
        with concurrent.futures.ThreadPoolExecutor() as pool, self.locked(fcntl.LOCK_EX):
            for look in (prefix.status, prefix.has_ntke):
                answer = pool.submit(look, self.folder)
                with self.assertRaises(TimeoutError):
                    answer.result(0.2)
        # ... and not for another one that looks.
        with self.locked(fcntl.LOCK_SH):
            self.assertTrue(prefix.status(self.folder)[0])

    def locked(self, how: int) -> contextlib.ExitStack:
        """The prefix, held as another ws2 holds it."""
        held = contextlib.ExitStack()
        handle = os.open(self.folder, os.O_RDONLY)
        held.callback(os.close, handle)
        fcntl.flock(handle, how)
        return held


class Ntke(PrefixCase):
    """The pair, and the modules beside our DLL that lead to ntke with and without it."""

    @staticmethod
    def built() -> list[Path]:
        return [*paths.ntke_halves("x86_64"), paths.ntke_so("i386")]

    def assert_installed(self):
        self.assertTrue(prefix.has_ntke(self.folder))
        for names in ((NTKE, UNIX, UNIX32), prefix_layout.NTKE_PAIR):
            for name, source in zip(names, self.built()):
                self.assertEqual((self.folder / name).read_bytes(), source.read_bytes(), name)

    def test_is_put_where_our_dll_and_wine_look(self):
        prefix.install(self.folder)
        self.assert_installed()
        self.assertEqual(list(prefix_layout.NTKE_PAIR),
                         [f".ws2_32/lib/{name}" for name in paths.NTKE_FILES["x86_64"]])
        self.assertIn("ntke: there, for 64-bit and 32-bit programs", "\n".join(prefix.status(self.folder)[1]))

    def test_joins_an_install_of_a_version_that_needed_a_variable(self):
        self.joins([NTKE])

    def test_joins_an_install_of_a_version_for_64_bit_programs(self):
        self.joins([NTKE, UNIX])

    def joins(self, earlier: list[str]):
        before, targets = snapshot(self.folder), prefix_layout.ntke_targets
        with mock.patch.object(prefix_layout, "ntke_targets", lambda opened: [
                target for target in targets(opened) if target.name in earlier]):
            prefix.install(self.folder)
        make_earlier(self.folder, {**earlier_record(self.folder), "format": 2})
        whole, lines = prefix.status(self.folder)
        self.assertTrue(whole)
        self.assertIn("install again", "\n".join(lines))
        prefix.install(self.folder)
        self.assert_installed()
        self.assertNotIn("install again", "\n".join(prefix.status(self.folder)[1]))
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_can_be_left_out_and_added_later(self):
        before = snapshot(self.folder)
        prefix.install(self.folder, ntke=False)
        whole, lines = prefix.status(self.folder)
        self.assertTrue(whole)
        self.assertIn("ntke: not there", "\n".join(lines))
        self.assert_no_ntke()
        prefix.install(self.folder)
        self.assert_installed()
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_a_newer_build_replaces_both_halves(self):
        before = snapshot(self.folder)
        prefix.install(self.folder)
        for half in self.built():
            half.write_bytes(b"a newer " + str(half).encode())
        prefix.install(self.folder)
        self.assert_installed()
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_brings_back_what_had_its_name(self):
        for name in (NTKE, UNIX, UNIX32):
            (self.folder / name).write_bytes(b"somebody else's " + name.encode())
            os.utime(self.folder / name, (1_500_000_000, 1_500_000_000))
        before = snapshot(self.folder)
        prefix.install(self.folder)
        self.assert_installed()
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_a_lost_half_shows_and_is_mended(self):
        before = snapshot(self.folder)
        for name in (NTKE, UNIX, UNIX32, *prefix_layout.NTKE_PAIR):
            prefix.install(self.folder)
            (self.folder / name).unlink()
            whole, lines = prefix.status(self.folder)
            self.assertFalse(whole)
            self.assertIn(name.removeprefix(".ws2_32/lib/"), "\n".join(lines))
            prefix.install(self.folder)
            self.assertTrue(prefix.status(self.folder)[0])
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_a_half_that_is_not_built_refuses_the_install(self):
        for half in self.built():
            half.rename(half.with_name("away"))
            self.assertIn("is not built", self.assert_refused_unchanged(prefix.install))
            half.with_name("away").rename(half)

    def test_a_file_the_user_keeps_does_not_keep_it(self):
        prefix.install(self.folder)
        (self.folder / SYSTEM32).write_bytes(b"the user's own")
        prefix.remove(self.folder)
        self.assertEqual(sorted(p.name for p in (self.folder / ".ws2_32-kept").iterdir()), ["0-ws2_32.dll"])
        self.assert_no_ntke()

    def test_is_not_for_another_machine(self):
        with mock.patch.object(platform, "machine", return_value="aarch64"):
            prefix.install(self.folder)
        self.assert_no_ntke()
        self.assertTrue(prefix.status(self.folder)[0])


class Remove(PrefixCase):
    def test_restores_byte_for_byte(self):
        for overrides in (b"", b'"ws2_32"="builtin"\n', b'"WS2_32"="native"\n"zlib"="native"\n'):
            with self.subTest(overrides=overrides):
                folder = make_prefix(self.scratch / hashlib.sha256(overrides).hexdigest()[:8], overrides)
                before = snapshot(folder)
                prefix.install(folder)
                self.assertNotEqual(snapshot(folder), before)
                prefix.remove(folder)
                self.assertEqual(snapshot(folder), before)

    def test_without_an_install_changes_nothing(self):
        before = snapshot(self.folder)
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_twice_is_the_same_as_once(self):
        before = snapshot(self.folder)
        prefix.install(self.folder)
        prefix.remove(self.folder)
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_keeps_what_the_user_wrote_to_the_registry_meanwhile(self):
        path = self.folder / "user.reg"
        original = path.read_bytes()
        prefix.install(self.folder)
        path.write_bytes(path.read_bytes() + b'\n[Software\\\\Mine] 1\n"x"="y"\n')
        prefix.remove(self.folder)
        self.assertEqual(path.read_bytes(), original + b'\n[Software\\\\Mine] 1\n"x"="y"\n')

    def test_brings_the_old_override_back_into_a_changed_registry(self):
        folder = make_prefix(self.scratch / "other", b'"ws2_32"="builtin"\n')
        path = folder / "user.reg"
        original = path.read_bytes()
        prefix.install(folder)
        path.write_bytes(path.read_bytes() + b"; a line\n")
        prefix.remove(folder)
        self.assertEqual(path.read_bytes(), original + b"; a line\n")

    def test_leaves_an_override_the_user_changed(self):
        prefix.install(self.folder)
        path = self.folder / "user.reg"
        path.write_bytes(path.read_bytes().replace(OVERRIDE[2], b"disabled"))
        prefix.remove(self.folder)
        self.assertEqual(self.override(), b"disabled")

    def test_leaves_an_override_that_was_there_and_the_same(self):
        folder = make_prefix(self.scratch / "same", b'"ws2_32"="native,builtin"\n')
        before = snapshot(folder)
        prefix.install(folder)
        prefix.remove(folder)
        self.assertEqual(snapshot(folder), before)

    def test_keeps_registry_edits_made_between_two_installs(self):
        prefix.install(self.folder)
        path = self.folder / "user.reg"
        edited = path.read_bytes().replace(b'"ws2_32"="native,builtin"\n', b"") + b"; edited\n"
        path.write_bytes(edited)
        prefix.install(self.folder)
        self.assertEqual(self.override(), OVERRIDE[2])
        prefix.remove(self.folder)
        self.assertEqual(path.read_bytes(), edited)

    def test_leaves_a_dll_the_user_put_there(self):
        prefix.install(self.folder)
        (self.folder / SYSTEM32).write_bytes(b"the user's own")
        with self.assertRaises(Failure):
            prefix.install(self.folder)
        told = prefix.remove(self.folder)
        self.assertEqual((self.folder / SYSTEM32).read_bytes(), b"the user's own")
        self.assertEqual((self.folder / SYSWOW64).read_bytes(), b"Wine's, 32-bit")
        kept = next(Path(line.split(" kept as ")[1]) for line in told if " kept as " in line)
        self.assertEqual(kept.read_bytes(), b"Wine's, 64-bit")
        self.assertFalse(prefix.status(self.folder)[0])

    def test_brings_a_link_back_as_a_link(self):
        target = self.scratch / "shared.dll"
        target.write_bytes(b"Wine's, shared")
        (self.folder / SYSTEM32).unlink()
        (self.folder / SYSTEM32).symlink_to(target)
        prefix.install(self.folder)
        self.assertEqual(target.read_bytes(), b"Wine's, shared")
        prefix.remove(self.folder)
        self.assertEqual(os.readlink(self.folder / SYSTEM32), str(target))

    def test_brings_back_the_very_file_where_it_was_one_of_ours(self):
        ours = paths.dll("x86_64").read_bytes()
        (self.folder / SYSTEM32).write_bytes(ours)
        os.utime(self.folder / SYSTEM32, (1_500_000_000, 1_500_000_000))
        before = snapshot(self.folder)
        for data in (ours, b"a newer build", ours):
            paths.dll("x86_64").write_bytes(data)
            prefix.install(self.folder)
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_takes_the_dll_away_where_there_was_none(self):
        (self.folder / SYSTEM32).unlink()
        before = snapshot(self.folder)
        prefix.install(self.folder)
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)

    def test_works_where_no_hard_link_can_be_made(self):
        before = snapshot(self.folder)
        with mock.patch.object(os, "link", side_effect=OSError(1, "Operation not permitted")):
            prefix.install(self.folder)
        prefix.remove(self.folder)
        self.assertEqual(snapshot(self.folder), before)


if __name__ == "__main__":
    unittest.main()
