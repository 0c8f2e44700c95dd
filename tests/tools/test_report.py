"""The conformance matrix: results of another build must not get into it, and no failure may be lost."""

import contextlib
import io
import sys
import tempfile
import types
import unittest
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import conformance, conformance_report, paths, report_pages, results  # noqa: E402
from ws2lib.results import FAILED, PASSED, SKIPPED, Outcome, Side  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402


def side(dll: str, cases: dict[str, str], wine: str = "8.0", arch: str = "x86_64", built: str = "now") -> Side:
    why = {FAILED: "an assertion failed", SKIPPED: "no IPv6 here", PASSED: ""}
    return Side(dll, wine, arch, arch == "i386", built, "2026-01-02 03:04 UTC",
                {name: Outcome(result, why[result]) for name, result in cases.items()})


BUILTIN = side("builtin", {"event.one": PASSED, "event.two": FAILED, "wait.one": FAILED})
NTKE = side("ntke", {"event.one": PASSED, "event.two": PASSED, "wait.one": FAILED})
NTKE_10 = side("ntke", {"event.one": SKIPPED, "event.two": PASSED, "wait.one": FAILED}, wine="10.0")
CAUSES = {"builtin-8.0-x86_64": {"event.two": "its server | <forgets>"},
          "ntke-8.0-x86_64": {"wait.one": "Linux"}, "ntke-10.0-x86_64": {"wait.one": "Linux"}}


class Kept(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = Path(folder.name)
        for name, place in (("BUILD", self.build), ("DIST", self.build / "dist")):
            patch = mock.patch.object(paths, name, place)
            patch.start()
            self.addCleanup(patch.stop)

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_results_come_back_as_they_were(self):
        results.save(NTKE)
        self.assertEqual(results.load("ntke", "8.0", "x86_64"), NTKE)
        self.assertIsNone(results.load("host", "8.0", "x86_64"))

    def test_what_cannot_be_read_is_no_result(self):
        place = self.build / "results" / "ntke-8.0-x86_64.json"
        for text in ("", "[]", "{}", '{"form": 0}', '{"form": 1, "dll": "ntke"}'):
            self.write(place, text)
            self.assertIsNone(results.load("ntke", "8.0", "x86_64"), text)

    def test_another_build_makes_them_old(self):
        self.write(paths.test_program("x86_64", "conformance"), "suite")
        self.write(paths.dll("x86_64"), "dll")
        self.write(paths.ntke_so("x86_64"), "so")
        sides = {dll: results.begin(dll, "8.0", "x86_64", False) for dll in ("builtin", "host", "ntke")}

        def current() -> list[str]:
            return [dll for dll, one in sides.items() if results.is_current(one)]

        self.assertEqual(current(), ["builtin", "host", "ntke"])
        self.write(paths.ntke_so("x86_64"), "another so")
        self.assertEqual(current(), ["builtin", "host"])
        self.write(paths.dll("x86_64"), "another dll")
        self.assertEqual(current(), ["builtin"])
        self.write(paths.test_program("x86_64", "conformance"), "another suite")
        self.assertEqual(current(), [])


class Matrix(unittest.TestCase):
    def setUp(self):
        self.matrix = report_pages.Matrix([BUILTIN, NTKE, NTKE_10], CAUSES)

    def test_a_failure_is_a_gap_only_with_a_cause(self):
        state = self.matrix.state
        self.assertEqual([state(BUILTIN, case) for case in self.matrix.cases],
                         [report_pages.PASSES, report_pages.GAP, report_pages.UNEXPLAINED])
        self.assertEqual(state(NTKE_10, "event.one"), report_pages.SKIPPED)
        self.assertEqual(state(NTKE_10, "event.gone"), report_pages.ABSENT)

    def test_sides_with_the_same_cause_share_an_entry(self):
        self.assertEqual(self.matrix.failures("ntke", report_pages.GAP),
                         [("wait.one", "Linux", [NTKE, NTKE_10])])

    def test_the_cause_of_an_unexplained_failure_is_how_it_ended(self):
        self.assertEqual(self.matrix.failures("builtin", report_pages.UNEXPLAINED),
                         [("wait.one", "an assertion failed", [BUILTIN])])

    def test_a_case_that_only_a_later_side_has_counts(self):
        matrix = report_pages.Matrix([BUILTIN, side("host", {"new.one": FAILED})], {})
        self.assertEqual(list(matrix.groups), ["event", "wait", "new"])


class Pages(unittest.TestCase):
    def setUp(self):
        self.matrix = report_pages.Matrix([BUILTIN, NTKE, NTKE_10], CAUSES)

    def test_markdown_has_summary_gaps_and_cases(self):
        lines = report_pages.markdown(self.matrix).splitlines()
        for line in ("| event | **1**/2 | 2/2 | 1/1 |", "| **all** | **1/3** | **2/3** | **1/2** |",
                     "## Unexplained failures of Wine's own DLL",
                     "| `event.two` | Wine 8.0 | its server \\| <forgets> |",
                     "| `wait.one` | everywhere | Linux |", "### event", "| two | ✗ | ✓ | ✓ |"):
            self.assertIn(line, lines)

    def test_each_markdown_table_is_as_wide_as_its_head(self):
        width = 0
        for line in report_pages.markdown(self.matrix).replace("\\|", "/").splitlines():
            columns = line.count("|")
            width = columns if columns and not width else width
            self.assertEqual(columns, width if columns else 0, line)
            width = width if columns else 0

    def test_html_is_escaped_and_has_every_case(self):
        text = report_pages.html(self.matrix)
        self.assertIn("its server | &lt;forgets&gt;", text)
        self.assertNotIn("<forgets>", text)
        self.assertIn('<td class="m fails" title="an assertion failed">✗!', text)
        self.assertIn('<td class="n fails">0/1', text)
        open_tags = []

        class Checker(HTMLParser):
            def handle_starttag(self, tag, attrs):
                if tag in ("table", "details", "thead", "ul"):
                    open_tags.append(tag)

            def handle_endtag(self, tag):
                if tag in ("table", "details", "thead", "ul"):
                    assert open_tags.pop() == tag

        Checker().feed(text)
        self.assertEqual(open_tags, [])

    def test_they_do_not_claim_a_run_on_windows(self):
        for text in (report_pages.markdown(self.matrix), report_pages.html(self.matrix)):
            self.assertIn("Nothing here was run on Windows", text)


class Command(unittest.TestCase):
    """Which sides are run, and which are taken from what is kept."""

    def setUp(self):
        wine = mock.Mock(version="8.0")
        sides = {f"{dll}-8.0-x86_64": (dll, wine, "x86_64") for dll in ("builtin", "host", "ntke")}
        self.kept = {"builtin": BUILTIN, "ntke": NTKE}
        self.ran = []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

        def run(_report, _wine, _arch, dll):
            self.ran.append(dll)
            return side(dll, {"event.one": PASSED})

        for target, name, replacement in (
                (conformance_report, "_sides", lambda: sides),
                (conformance_report.build, "build", lambda *_: None),
                (conformance, "run", run),
                (results, "load", lambda dll, *_: self.kept.get(dll)),
                (results, "is_current", lambda one: one.built == "now")):
            patch = mock.patch.object(target, name, replacement)
            patch.start()
            self.addCleanup(patch.stop)

    def report(self, **options) -> str:
        args = types.SimpleNamespace(**{"cached": False, "fresh": False, "side": None, "list": False,
                                        "output": self.folder, **options})
        with contextlib.redirect_stdout(io.StringIO()) as output, \
                contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(conformance_report.main(args), 0)
        return output.getvalue()

    def test_only_unknown_sides_run(self):
        output = self.report()
        self.assertEqual(self.ran, ["host"])
        for suffix in ("md", "html"):
            self.assertIn(f"{self.folder}/conformance.{suffix}\n", output)
            self.assertIn("host Wine 8.0", (self.folder / f"conformance.{suffix}").read_text())

    def test_results_of_another_build_are_unknown(self):
        self.kept["ntke"] = side("ntke", {"event.one": PASSED}, built="then")
        self.report()
        self.assertEqual(self.ran, ["host", "ntke"])

    def test_cached_runs_nothing_and_leaves_out_what_is_unknown(self):
        self.report(cached=True)
        self.assertEqual(self.ran, [])
        self.assertNotIn("host Wine 8.0", (self.folder / "conformance.md").read_text())

    def test_fresh_runs_the_sides_that_are_named(self):
        self.report(fresh=True, side=["ntke-*"])
        self.assertEqual(self.ran, ["ntke"])
        self.assertIn("builtin Wine 8.0", (self.folder / "conformance.md").read_text())

    def test_a_list_runs_nothing(self):
        self.assertRegex(self.report(list=True), r"(?s)builtin-8.0-x86_64 +known.*host-8.0-x86_64 +not known")
        self.assertEqual(self.ran, [])

    def test_nothing_known_is_a_failure(self):
        self.kept.clear()
        for options in ({"cached": True}, {"side": ["no-such"]}, {"cached": True, "fresh": True}):
            with self.assertRaises(Failure):
                self.report(**options)

    def test_a_suite_that_ends_without_results_is_a_failure(self):
        with mock.patch.object(conformance, "run", lambda report, *_: report.fail("x", "hangs")), \
                self.assertRaisesRegex(Failure, "x: hangs"):
            self.report()


if __name__ == "__main__":
    unittest.main()
