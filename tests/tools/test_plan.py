"""What `ws2 test` says before it begins."""

import io
import re
import unittest
from contextlib import redirect_stderr
from unittest import mock

from prefix_world import WorldCase
from ws2lib import matrix, packages, paths, test_plan, testing

PLAIN = [side for side in testing.SIDES if side not in testing.ON_DEMAND]


class Announcement(WorldCase):
    def setUp(self):
        super().setUp()
        self.patch(paths, "BUILD", self.scratch / "build")
        self.patch(matrix, "why_not", lambda: None)
        self.patch(matrix, "exists", lambda: True)
        self.patch(packages, "missing", lambda *_: {})

    def told(self, sides) -> str:
        output = io.StringIO()
        with redirect_stderr(output):
            test_plan.announce(sides, ["x86_64", "native"])
        return output.getvalue()

    def minutes(self, sides) -> int:
        return int((re.search(r"sides, about (\d+) minutes", self.told(sides)) or ["", "0"])[1])

    def test_tells_how_long_it_takes(self):
        minutes = self.minutes(PLAIN)
        self.assertTrue(25 <= minutes <= 40, f"where it was never run, not {minutes}")
        paths.dll("x86_64").unlink()
        self.assertGreater(self.minutes(PLAIN), minutes)

    def test_says_nothing_of_what_is_soon_done(self):
        test_plan.remember("demo", 30)
        self.assertEqual(self.told(["demo"]), "")
        paths.dll("x86_64").unlink()
        self.assertEqual(self.told(["demo"]).count("minutes"), 1, "of the build")

    def test_knows_how_long_it_took_before(self):
        for side in PLAIN:
            test_plan.remember(side, 600)
        self.assertIn(f"about {10 * len(PLAIN)} minutes", self.told(PLAIN))
        (paths.BUILD / "durations.json").write_text("no record")
        self.assertRegex(self.told(PLAIN), r"about \d+ minutes")

    def test_tells_what_it_will_install(self):
        self.patch(packages, "missing", lambda *_: {"g++": "g++", "wine": "wine"})
        with mock.patch("os.geteuid", return_value=0):
            self.assertIn("it will install: g++ wine", self.told(PLAIN))

    def test_knows_what_each_side_takes(self):
        asked = []
        self.patch(packages, "missing", lambda *purposes: asked.extend(purposes) or {})
        self.told(["tools", "trace", "clients-ntke", "lint"])
        self.assertLessEqual({"format", "trace", "clients", "lint", "wine", "x86_64", "native"}, set(asked))

    def test_tells_of_the_root_and_how_to_leave_it_out(self):
        self.assertNotIn("--without-matrix", self.told(PLAIN))
        self.patch(matrix, "exists", lambda: False)
        self.assertIn("--without-matrix", self.told(PLAIN))
        self.assertNotIn("--without-matrix", self.told(["demo"]))

    def test_sides_of_the_matrix_can_be_left_out(self):
        ran = []
        self.patch(testing, "run_sides", lambda sides, long: ran.extend(sides) or 0)
        args = mock.Mock(list=False, side=None, long=False, without_matrix=True)
        testing.main(args)
        self.assertIn("ntke", ran)
        self.assertFalse([side for side in ran if matrix.VERSION in side])


if __name__ == "__main__":
    unittest.main()
