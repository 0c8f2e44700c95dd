"""The C++ is formatted as .clang-format says. The rest of what a reader would say is the side `lint`."""

import shutil
import unittest

from prefix_world import paths  # noqa: F401 (it finds ws2lib)
from ws2lib import lint


@unittest.skipUnless(shutil.which("clang-format"), "there is no clang-format here")
class Format(unittest.TestCase):
    def test_of_every_file(self):
        wrong = {file: problem for file in lint.sources(".cpp", ".h") if (problem := lint.format_problem(file))}
        self.assertEqual(wrong, {})


if __name__ == "__main__":
    unittest.main()
