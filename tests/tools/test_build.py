"""`ws2 build`: how a build is set up for who only runs it, and made whole for who tests it."""

import contextlib
import json
import unittest
from unittest import mock

from prefix_world import WorldCase
from ws2lib import build, paths


class SetUp(WorldCase):
    """What Meson and ninja are told; neither runs."""

    def setUp(self):
        super().setUp()
        self.patch(paths, "BUILD", self.scratch / "build")
        self.patch(paths, "DIST", self.scratch / "build/dist")
        self.patch(build.packages, "ensure", lambda *purposes: self.ensured.append(purposes))
        self.patch(build, "fill_package_cache", lambda: self.ensured.append("cmocka"))
        self.patch(build, "run_quietly", self.run_quietly)
        self.patch(build.shutil, "which", lambda name: None)
        self.patch(build, "step", lambda title: contextlib.nullcontext())
        self.ensured, self.told = [], []

    def run_quietly(self, words, **_):
        words = [str(word) for word in words]
        self.told.append(words)
        if words[:2] == ["meson", "setup"]:
            self.set_options(words)
        if words[1:3] == ["configure", words[2]]:
            self.set_options(words)
        return "{}" if "introspect" in words else ""

    def set_options(self, words: list[str]) -> None:
        folder = paths.BUILD / words[2].rpartition("/")[2]
        place = folder / "meson-info/intro-buildoptions.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        (folder / "build.ninja").touch()
        known = {entry["name"]: entry["value"] for entry in json.loads(place.read_text())} if place.exists() else {}
        known |= {word[2:].split("=")[0]: word.endswith("=true") for word in words
                  if word.startswith("-D") and word.endswith(("=true", "=false"))}
        place.write_text(json.dumps([{"name": name, "value": value} for name, value in known.items()]))

    def build(self, *names: str, **how) -> list[list[str]]:
        self.told.clear()
        with mock.patch("platform.machine", return_value="x86_64"):
            build.build(*names, **how)
        return [words for words in self.told if words[0] == "meson" and words[1] in ("setup", "configure")]

    def test_quick_is_without_suites_and_the_other_architecture(self):
        setups = self.build("x86_64", tests=False, quick=True)
        self.assertEqual([words[2].rpartition("/")[2] for words in setups], ["unix", "x86_64"])
        for words in setups:
            self.assertTrue({"-Dtests=false", "-Ddebug=false", "-Db_pch=true"} <= set(words))
        self.assertEqual(self.ensured, [("x86_64", "unix")])
        (ninja,) = [words for words in self.told if words[0] == "ninja" and "-n" not in words and "unix" not in words[2]]
        self.assertEqual(ninja[3:], build.RUNTIME)

    def test_quick_leaves_a_whole_build_as_it_is(self):
        self.build("x86_64")
        self.assertEqual(self.build("x86_64", tests=False, quick=True), [])

    def test_a_quick_build_is_made_whole(self):
        self.build("i386", tests=False, quick=True)
        self.assertNotIn("cmocka", self.ensured)
        configured = self.build("i386")
        self.assertIn("cmocka", self.ensured)
        self.assertEqual(set(configured[-1][3:]), {"-Dtests=true", "-Ddebug=true", "-Db_pch=false"})
        self.assertEqual(self.build("i386"), [])

    def test_a_release_is_of_the_plain_build_without_suites(self):
        self.build("x86_64", tests=False, quick=True)
        configured = self.build("x86_64", tests=False)
        self.assertEqual(set(configured[-1][3:]), {"-Ddebug=true", "-Db_pch=false"})
        self.assertEqual(self.build("x86_64", tests=False), [])

    def test_a_compiler_cache_is_used_where_there_is_one(self):
        with mock.patch.object(build.shutil, "which", return_value="/usr/bin/ccache"):
            for words in self.build("x86_64", tests=False, quick=True):
                self.assertIn("-Db_pch=false", words)


if __name__ == "__main__":
    unittest.main()
