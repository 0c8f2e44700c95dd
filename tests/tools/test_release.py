"""`ws2 release`: one commit gives the same bytes, and the archive is whole."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import time
import unittest
from unittest import mock

from prefix_world import make_prefix, tree_of
from setup_world import SetupCase
from ws2lib import paths, prefix, release, release_check


class Archive(SetupCase):
    def setUp(self):
        super().setUp()
        paths.DIST = self.builds["install"]
        self.patch(release, "say", lambda text: None)  # that the tree has changes

    def pack(self, folder: str):
        return release.pack(self.scratch / folder)

    def test_twice_is_the_same_bytes(self):
        one = self.pack("one").read_bytes()
        os.utime(paths.dll("i386"), (1, 1))
        paths.dll("i386").chmod(0o600)
        time.sleep(1.1)  # what has a time of its own has another one now
        old = os.umask(0o077)
        self.addCleanup(os.umask, old)
        self.assertEqual(self.pack("other").read_bytes(), one)

    def test_is_named_after_the_version_of_our_dll(self):
        self.assertRegex(self.pack("one").name, r"^ws2_32-for-wine-\d+\.\d+\.\d+\.tar\.xz$")

    def test_is_what_is_unpacked(self):
        out = self.scratch / "out"
        out.mkdir()
        subprocess.run(["tar", "-C", out, "-xf", self.pack("one")], check=True)
        (folder,) = out.iterdir()
        self.assertEqual(folder.name, release.name())
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        summed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
        self.assertEqual(names, summed | {"SHA256SUMS"})
        self.assertTrue(os.access(folder / "setup.sh", os.X_OK))
        self.assertEqual(hashlib.sha256((folder / "x86_64/ntke_unix.dll").read_bytes()).digest(),
                         hashlib.sha256(paths.ntke_so("x86_64").read_bytes()).digest())

    def test_tells_nothing_of_who_packed_it(self):
        with tarfile.open(self.pack("one")) as tar:
            members = tar.getmembers()
        self.assertEqual([member.name for member in members], sorted(member.name for member in members))
        self.assertEqual({(member.uid, member.gid, member.uname, member.gname) for member in members}, {(0, 0, "", "")})
        self.assertEqual(len({member.mtime for member in members}), 1)
        self.assertEqual({member.mode for member in members}, {0o644, 0o755})


class Side(unittest.TestCase):
    def test_makes_what_is_kept_as_who_keeps_it(self):
        users = []

        class Made(Exception):
            pass

        def template(wine):
            users.append(wine.user)
            raise Made

        with mock.patch.object(release_check, "template", template), mock.patch.object(os, "geteuid", return_value=0), \
                self.assertRaises(Made):
            release_check.run(mock.Mock(), mock.Mock(user=None))
        self.assertEqual(users, [None])


class Verb(SetupCase):
    """What winetricks does with ws2_32.verb, by functions of the same names."""
    WINETRICKS = """
        w_metadata() { for word; do echo "$word"; done >"$W_TMP/metadata"; }
        w_die() { echo "$@" >&2; exit 1; }
        w_try() { "$@" || w_die "$* failed"; }
        w_try_cd() { cd "$1" || w_die "cannot cd $1"; }
        W_PACKAGE=ws2_32 W_SYSTEM32_DLLS_WIN='C:\\windows\\system32' WINESERVER=true
        . "$VERB" && load_ws2_32
    """

    def setUp(self):
        super().setUp()
        paths.DIST = self.builds["install"]
        self.patch(release, "say", lambda text: None)
        self.folder = make_prefix(self.world / "a prefix")
        self.cache = self.scratch / "the cache"
        (self.cache / "ws2_32").mkdir(parents=True)

    def load(self) -> subprocess.CompletedProcess:
        place = self.scratch / "tmp"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        env = dict(os.environ, VERB=str(release.FOLDER / "ws2_32.verb"), WINEPREFIX=str(self.folder),
                   W_CACHE=str(self.cache), W_TMP=str(place))
        return subprocess.run(["sh", "-c", self.WINETRICKS], check=False, env=env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_installs_the_archive(self):
        before = tree_of(self.world)
        release.pack(self.cache / "ws2_32")
        done = self.load()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(prefix.status(self.folder)[0])
        prefix.remove(self.folder)
        self.assertEqual(tree_of(self.world), before)

    def test_names_a_file_by_which_winetricks_knows_that_it_is_installed(self):
        release.pack(self.cache / "ws2_32")
        self.load()
        lines = (self.scratch / "tmp/metadata").read_text().splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        name = told["installed_file1"].rpartition("/")[2]
        self.assertTrue((self.folder / "drive_c/windows/system32" / name).is_file())

    def test_takes_the_highest_version(self):
        for number in ("0.9.0", "0.10.0"):
            with mock.patch.object(release, "version", return_value=number):
                release.pack(self.cache / "ws2_32")
        done = self.load()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([path.name for path in (self.scratch / "tmp").glob("ws2_32-*")], ["ws2_32-for-wine-0.10.0"])

    def test_tells_where_the_archive_has_to_be(self):
        before = tree_of(self.world)
        done = self.load()
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"Put ws2_32-for-wine-VERSION.tar.xz into {self.cache}/ws2_32", done.stdout)
        self.assertEqual(tree_of(self.world), before)


class Scripts(unittest.TestCase):
    # Words are split on purpose: nothing in them has a blank, and patterns are switched off.
    MEANT = "SC1007,SC2010,SC2012,SC2015,SC2030,SC2031,SC2046,SC2086,SC2154,SC2254"

    def test_are_for_any_posix_shell(self):
        for shell in ("dash", "bash"):
            subprocess.run([shell, "-n", release.FOLDER / "setup.sh"], check=True)
            subprocess.run([shell, "-n", release.FOLDER / "ws2_32.verb"], check=True)

    @unittest.skipUnless(shutil.which("shellcheck"), "there is no shellcheck here")
    def test_have_nothing_that_shellcheck_knows(self):
        done = subprocess.run(["shellcheck", "-s", "sh", "-e", self.MEANT, release.FOLDER / "setup.sh"], check=False,
                              stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
