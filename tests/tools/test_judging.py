"""How `ws2 test` reads what programs print and judges it: a test run must not be able to pass wrongly."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import conformance, paths, results, tap, testing, wine  # noqa: E402
from ws2lib.report import Report  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402

PROOF = f"# ws2_32: C:\\windows\\system32\\ws2_32.dll, {paths.PRODUCT}, 0.1.0\n"


class Tap(unittest.TestCase):
    def test_reads_what_cmocka_prints(self):
        result = tap.parse(PROOF + "# group: event\n1..3\r\nok 1 - one\r\n# 1 != 2\nnot ok 2 - two\n"
                           "# file.cpp:12: error: Failure!\nok 3 # SKIP three\n# not ok - event\n")
        self.assertEqual([(c.name, c.ok) for c in result.cases],
                         [("one", True), ("two", False), ("three", True)])
        self.assertEqual(result.cases[1].details, ["# 1 != 2", "# file.cpp:12: error: Failure!"])
        self.assertIsNotNone(result.cases[2].skipped)
        self.assertTrue(result.is_complete())

    def test_knows_a_case_that_could_not_be_set_up_by_its_name(self):
        case = tap.parse("1..1\nnot ok 1 - one Could not run test: Test setup failed\n").cases[0]
        self.assertEqual((case.name, case.ok, case.details), ("one", False, ["Test setup failed"]))

    def test_keeps_the_reason_of_a_skip(self):
        case = tap.parse("1..1\nok 1 - name # SKIP no such program\n").cases[0]
        self.assertEqual((case.name, case.skipped), ("name", "no such program"))

    def test_sees_that_cases_are_missing(self):
        self.assertFalse(tap.parse("1..2\nok 1 - one\n").is_complete())
        self.assertFalse(tap.parse("ok 1 - one\n").is_complete())
        self.assertFalse(tap.parse("").is_complete())

    def test_sees_a_bail_out(self):
        result = tap.parse("1..1\nok 1 - one\nBail out! two hangs\n")
        self.assertFalse(result.is_complete())
        self.assertEqual(result.bail_out, "two hangs")


class FakePrefix:
    """Answers as conformance.exe would; `groups` is {group: [(case, behaviour)]}. A behaviour is one of ok,
    fail, crash, hang, die, vanish, and `X alone Y`: X in its group, Y when it runs alone."""

    def __init__(self, groups: dict, proof: str = PROOF):
        self.groups = groups
        self.proof = proof
        self.folder = Path("/nowhere")

    def run(self, _program, *words, timeout):  # pylint: disable=unused-argument
        words = list(words)
        if "--list" in words:
            words.remove("--list")
            names = [case for case, _ in self.groups[words[0]]] if words else self.groups
            return wine.Outcome(0, "\n".join(names) + "\n", 0)
        only = words[words.index("--filter") + 1] if "--filter" in words else None
        cases = [(name, how) for name, how in self.groups[words[-1]] if only in (None, name)]
        text = self.proof + f"1..{len(cases)}\n"
        failed = False
        for number, (name, how) in enumerate(cases, 1):
            in_group, _, alone = how.partition(" alone ")
            how = alone if only and alone else in_group
            if how == "vanish":
                return wine.Outcome(0, self.proof + "1..0\n", 0)
            if how == "die":
                return wine.Outcome(1, "", 0)
            if how == "crash":
                return wine.Outcome(5, text, 0)
            if how == "hang":
                return wine.Outcome(None, text, 0)
            failed = failed or how == "fail"
            text += f"{'not ok' if how == 'fail' else 'ok'} {number} - {name}\n"
        return wine.Outcome(1 if failed else 0, text, 0)


class Judging(unittest.TestCase):
    def setUp(self):
        self.kept: list[results.Side] = []

    def judge(self, cases: list, gaps: str = "", proof: str = PROOF, dll: str = "host") -> Report:
        fake = FakePrefix({"event": cases}, proof)
        report = Report()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            listed = Path(folder) / "host.txt"
            listed.write_text(gaps)
            with mock.patch.object(conformance, "expected_files", return_value=[listed]), \
                    mock.patch.object(results, "save", side_effect=self.kept.append), \
                    mock.patch.object(conformance, "fresh_prefix",
                                      return_value=contextlib.nullcontext(fake)):
                conformance.run(report, mock.Mock(version="8.0"), "x86_64", dll)
        return report

    def counts(self, *words, **named) -> tuple[int, int, int]:
        report = self.judge(*words, **named)
        return report.passed, report.failed, report.skipped

    def test_passing_cases_pass(self):
        self.assertEqual(self.counts([("one", "ok"), ("two", "ok")]), (2, 0, 0))

    def test_a_failing_case_fails(self):
        self.assertEqual(self.counts([("one", "ok"), ("two", "fail")]), (1, 1, 0))

    def test_a_known_gap_is_no_failure(self):
        self.assertEqual(self.counts([("one", "ok"), ("two", "fail")], "event.two  # Wine's server\n"), (1, 0, 1))

    def test_a_known_gap_that_passes_is_a_failure(self):
        self.assertEqual(self.counts([("one", "ok")], "event.one  # Wine's server\n"), (0, 1, 0))

    def test_a_gap_of_no_case_is_a_failure(self):
        self.assertEqual(self.counts([("one", "ok")], "event.gone  # Wine's server\n"), (1, 1, 0))

    def test_a_gap_needs_a_cause(self):
        with self.assertRaises(Failure):
            self.judge([("one", "fail")], "event.one\n")

    def test_a_crash_loses_only_its_case(self):
        report = self.judge([("one", "ok"), ("two", "crash"), ("three", "ok")])
        self.assertEqual((report.passed, report.failed), (2, 1))
        self.assertIn("event.two", report.failures[0][0])
        self.assertIn("crashes", report.failures[0][1])

    def test_an_end_before_the_first_word_loses_only_its_case(self):
        report = self.judge([("one", "ok"), ("two", "die"), ("three", "ok")])
        self.assertEqual((report.passed, report.failed), (2, 1))
        self.assertIn("crashes (exit code 1, 0 of", report.failures[0][1])

    def test_a_hang_loses_only_its_case(self):
        report = self.judge([("one", "hang"), ("two", "ok")])
        self.assertEqual((report.passed, report.failed), (1, 1))
        self.assertIn("hangs", report.failures[0][1])

    def test_a_crash_can_be_a_known_gap(self):
        self.assertEqual(self.counts([("one", "crash"), ("two", "ok")], "event.one  # crashes\n"), (1, 0, 1))

    def test_what_wines_own_code_does_by_chance_is_asked_again(self):
        builtin = {"dll": "builtin", "proof": f"# ws2_32: C:\\ws2_32.dll, {paths.BUILTIN_PRODUCT}, 8.0\n"}
        gap = "event.one  # Wine's server\n"
        self.assertEqual(self.counts([("one", "fail alone ok")], **builtin), (1, 0, 0))
        self.assertEqual(self.counts([("one", "fail")], **builtin), (0, 1, 0))
        self.assertEqual(self.counts([("one", "ok alone fail")], gap, **builtin), (0, 0, 1))
        self.assertEqual(self.counts([("one", "ok")], gap, **builtin), (0, 1, 0))

    def test_a_case_that_does_not_run_alone_fails(self):
        builtin = {"dll": "builtin", "proof": f"# ws2_32: C:\\ws2_32.dll, {paths.BUILTIN_PRODUCT}, 8.0\n"}
        self.assertEqual(self.counts([("one", "fail alone vanish"), ("two", "ok")], **builtin), (1, 1, 0))

    def test_what_our_code_does_by_chance_is_a_failure(self):
        self.assertEqual(self.counts([("one", "fail alone ok")]), (0, 1, 0))

    def test_the_wrong_dll_is_refused(self):
        for proof in ("# ws2_32: C:\\windows\\system32\\ws2_32.dll, Wine, 8.0\n", ""):
            with self.assertRaises(Failure):
                self.judge([("one", "ok")], proof=proof)

    def judge_nt(self, system: str, gaps: str = "") -> Report:
        fake = FakePrefix({"event": [("one", "ok"), ("two", "fail")]}, f"# system: {system}\n")
        report = Report()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            listed = Path(folder) / "nt-8.0.txt"
            listed.write_text(gaps)
            with mock.patch.object(conformance, "expected_files", return_value=[listed]), \
                    mock.patch.object(conformance, "KERNEL_GROUPS", ["event"]), \
                    mock.patch.object(conformance, "fresh_prefix",
                                      return_value=contextlib.nullcontext(fake)):
                conformance.run_nt(report, mock.Mock(version="8.0"), "x86_64")
        return report

    def test_the_nt_suite_is_judged_by_its_gaps(self):  # alone, and on what Winsock has seen
        report = self.judge_nt("ntdll of Wine 8.0", "event.two  # Wine's server\n")
        self.assertEqual((report.passed, report.failed, report.skipped), (2, 0, 2))
        report = self.judge_nt("ntdll of Wine 8.0")
        self.assertEqual((report.passed, report.failed, report.skipped), (2, 2, 0))

    def test_the_wrong_ntdll_is_refused(self):
        for system in ("ntdll of Wine 8.0.1", "ntdll of Wine 10.0", "ntdll of Windows", "ntke, native"):
            with self.assertRaises(Failure):
                self.judge_nt(system)

    def test_what_was_found_is_kept_whatever_was_expected(self):
        self.judge([("one", "ok"), ("two", "fail"), ("three", "hang")],
                   "event.one  # Wine's server\nevent.two  # Wine's server\n")
        (side,) = self.kept
        self.assertEqual((side.name, side.emulated), ("host-8.0-x86_64", False))
        self.assertEqual({name: outcome.result for name, outcome in side.cases.items()}, {
            "event.one": results.PASSED, "event.two": results.FAILED, "event.three": results.FAILED})
        self.assertEqual(side.cases["event.three"].why, "hangs")

    def test_the_wrong_dll_leaves_nothing(self):
        with self.assertRaises(Failure):
            self.judge([("one", "ok")], proof="")
        self.assertEqual(self.kept, [])

    def test_nothing_run_is_no_success(self):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(Report().close(), 1)
        self.assertEqual(output.getvalue().splitlines()[-1], "0 passed, 0 failed, 0 skipped")


class Unittest(unittest.TestCase):
    OUTPUT = ("test_a (test_x.Case.test_a) ... ok\n"
              "test_b (test_x.Case.test_b)\nA docstring. ... FAIL\n"
              "test_c (test_x.Case.test_c) ... skipped 'not here'\n"
              "\n====\nFAIL: test_b (test_x.Case.test_b)\nAssertionError\n\nRan 3 tests in 0.1s\n")

    def test_counts_what_unittest_prints(self):
        report = Report()
        with contextlib.redirect_stdout(io.StringIO()):
            testing.count_unittest(report, self.OUTPUT, 1)
        self.assertEqual((report.passed, report.failed, report.skipped), (1, 1, 1))

    def test_a_run_without_tests_is_a_failure(self):
        report = Report()
        with contextlib.redirect_stdout(io.StringIO()):
            testing.count_unittest(report, "Ran 0 tests in 0.0s\n", 0)
        self.assertEqual(report.failed, 1)


if __name__ == "__main__":
    unittest.main()
