"""`ws2 release`: one commit gives the same bytes, and the archive is whole."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import time
import unittest

from setup_world import SetupCase
from ws2lib import paths, release


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
