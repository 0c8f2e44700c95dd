"""Finding the distribution's archive in the machine's apt sources."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import debian  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402


class Sources(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.etc = Path(scratch.name)
        (self.etc / "sources.list.d").mkdir()

    def test_deb822(self):
        (self.etc / "sources.list.d" / "debian.sources").write_text(
            "# a comment\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
            "Components: main contrib\nSigned-By: /usr/share/keyrings/k.gpg\n\n"
            "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n"
            "Components: main\n")
        source = debian.distribution_source(self.etc)
        self.assertEqual(source.uri, "http://mirror.example/debian")
        stanza = debian.source_stanza(source)
        self.assertIn("Types: deb-src\n", stanza)
        self.assertIn("Suites: bookworm bookworm-updates\n", stanza)
        self.assertIn("Signed-By: /usr/share/keyrings/k.gpg\n", stanza)

    def test_one_line_style(self):
        (self.etc / "sources.list").write_text(
            "#deb http://old.example/debian stretch main\n"
            "deb http://security.example/debian-security bookworm-security main\n"
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main non-free\n")
        source = debian.distribution_source(self.etc)
        self.assertEqual((source.uri, source.suites), ("http://mirror.example/debian", ["bookworm"]))
        self.assertIn("Signed-By: /k.gpg\n", debian.source_stanza(source))

    def test_a_disabled_source_is_none(self):
        (self.etc / "sources.list.d" / "debian.sources").write_text(
            "Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n")
        with self.assertRaises(Failure):
            debian.distribution_source(self.etc)

    def test_a_vendors_archive_is_not_the_distribution(self):
        (self.etc / "sources.list.d" / "vendor.list").write_text(
            "deb https://vendor.example/apt stable main\n")
        with self.assertRaises(Failure):
            debian.distribution_source(self.etc)


if __name__ == "__main__":
    unittest.main()
