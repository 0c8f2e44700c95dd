"""The C++ is formatted as .clang-format says, and the headers of the product compile alone. The rest of what a
reader would say is the side `lint`."""

import os
import shutil
import unittest
from concurrent.futures import ThreadPoolExecutor

from prefix_world import WorldCase, paths
from ws2lib import lint


@unittest.skipUnless(shutil.which("clang-format"), "there is no clang-format here")
class Format(unittest.TestCase):
    def test_of_every_file(self):
        wrong = {file: problem for file in lint.sources(".cpp", ".h") if (problem := lint.format_problem(file))}
        self.assertEqual(wrong, {})


@unittest.skipUnless((paths.BUILD / "x86_64/compile_commands.json").is_file()
                     and (paths.BUILD / "unix/compile_commands.json").is_file(), "what is shipped is not built")
class Headers(WorldCase):
    def test_compile_alone(self):
        headers = [file for file in lint.sources(".h") if file.startswith(("dlls/", "include/"))]
        self.assertGreater(len(headers), 100)
        commands = lint.commands_of_builds()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            problems = pool.map(lambda file: lint.header_problem(file, commands), headers)
            wrong = {file: problem for file, problem in zip(headers, problems) if problem}
        self.assertEqual(wrong, {})

    def test_that_do_not_are_told(self):
        commands = lint.commands_of_builds()
        header = self.scratch / "incomplete.h"
        header.write_text("#pragma once\ninline std::size_t zero() { return 0; }\n")
        self.assertIn("std", lint.header_problem(str(header), commands))


if __name__ == "__main__":
    unittest.main()
