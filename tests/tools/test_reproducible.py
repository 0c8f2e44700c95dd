"""The same tree gives the same bytes. The whole build is compared by `ws2 test --side reproducible`."""

import hashlib
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import build, paths, pe, reproducible  # noqa: E402
from ws2lib.ui import run_quietly  # noqa: E402


def built_files() -> list[Path]:
    return sorted(path for path in paths.DIST.rglob("*") if path.is_file())


def digests() -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in built_files()}


class Shipped(unittest.TestCase):
    def setUp(self):
        if not paths.dll("x86_64").is_file():
            self.skipTest(f"{paths.dll('x86_64')} is not built")

    def test_no_time_is_in_it(self):
        programs = [path for path in built_files() if pe.machine(path)]
        self.assertIn(paths.dll("x86_64"), programs)
        self.assertEqual({str(path): pe.time_stamp(path) for path in programs if pe.time_stamp(path)}, {})

    def test_no_folder_of_this_machine_is_in_it(self):
        folder = os.fsencode(paths.ROOT)
        self.assertEqual([path for path in built_files() if folder in path.read_bytes()], [])

    def test_installing_it_again_changes_nothing(self):
        before = digests()
        time.sleep(1.1)  # the clock that programs are stamped with counts seconds
        for name in (*paths.ARCHES, *build.UNIX.values()):
            if (paths.BUILD / name / "build.ninja").is_file():
                build.install(name)
        self.assertEqual(digests(), before)


class Elsewhere(unittest.TestCase):
    """Built from nothing in a folder of another name and depth, with the debugging information."""

    def test_gives_the_same(self):
        for arch in paths.ARCHES:
            if not (paths.BUILD / arch / "build.ninja").is_file():
                self.skipTest(f"{arch} is not built")
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "of" / "another-depth"
            reproducible.copy_tree(folder)
            for arch in paths.ARCHES:
                run_quietly(["ninja", "-C", paths.BUILD / arch, *reproducible.SMALL[arch]])
                for target, again in reproducible.build_small(folder, arch).items():
                    with self.subTest(arch=arch, target=target):
                        self.assertEqual(hashlib.sha256(again.read_bytes()).hexdigest(),
                                         hashlib.sha256((paths.BUILD / arch / target).read_bytes()).hexdigest())


if __name__ == "__main__":
    unittest.main()
