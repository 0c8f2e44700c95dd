"""The sides `prefix`: what counts as a fact, and that a program which proves nothing is noticed."""

import struct
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import paths, prefix_facts  # noqa: E402
from ws2lib.report import Report  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402

OUTPUT = (f"# refused: 10093\n# ws2_32: C:\\ws2_32.dll, {paths.PRODUCT}, 0.1.0\n# kernel: ntke, C:\\ntke_unix.dll\n"
          "gethostname: vm\n# complete\n")


class Facts(unittest.TestCase):
    def facts(self, output: str, exit_code: int | None = 0, ours: bool = True) -> list[str]:
        return prefix_facts._facts_of(output, exit_code, ours, "ntke")

    def test_are_the_lines_that_are_no_comments(self):
        self.assertEqual(self.facts(OUTPUT), ["gethostname: vm"])

    def test_of_a_table_in_utf_16_are_its_words(self):
        text = "IPAddress   IPSubnet  \r\n".encode("utf-16").decode("utf-8", "replace")
        self.assertEqual(prefix_facts._plain_lines(text), ["IPAddress IPSubnet"])

    def test_need_a_program_that_came_to_its_end(self):
        for output, exit_code in ((OUTPUT, 1), (OUTPUT, None), (OUTPUT.replace("# complete\n", ""), 0)):
            with self.assertRaises(Failure):
                self.facts(output, exit_code)

    def test_need_the_right_dll_and_kernel(self):
        with self.assertRaises(Failure):
            self.facts(OUTPUT, ours=False)
        with self.assertRaises(Failure):
            self.facts(OUTPUT.replace("ntke", "host"))

    def test_need_a_program_that_is_refused_before_its_start(self):
        with self.assertRaises(Failure):
            self.facts(OUTPUT.replace("10093", "0"))


class Comparison(unittest.TestCase):
    def setUp(self):
        self.report = Report(quiet=True)
        self.side = prefix_facts.Side(self.report, mock.Mock(), "x86_64", mock.Mock(port=80, connection=[1, 2]))

    def test_tells_the_lines_that_differ(self):
        self.side.compare("same", ["a", "b"], ["a", "b"])
        self.side.compare("other", ["a", "b"], ["a", "c"])
        self.assertEqual((self.report.passed, self.report.failed), (1, 1))
        self.assertLessEqual({"-b", "+c"}, set(self.report.failures[0][2]))

    def test_is_refused_where_there_is_nothing_to_break(self):
        with self.assertRaises(Failure):
            self.side.check_sane(["GetComputerName: , error 2"])

    def test_leaves_out_what_others_do(self):
        self.assertFalse(self.side._is_steady("netstat", "TCP 127.0.0.1:5 127.0.0.1:6 ESTABLISHED"))
        self.assertFalse(self.side._is_steady("netstat", "TCP 127.0.0.1:1 127.0.0.1:6 TIME_WAIT"))
        self.assertTrue(self.side._is_steady("netstat", "TCP 127.0.0.1:1 127.0.0.1:2 ESTABLISHED"))
        self.assertFalse(self.side._is_steady("net", "Remote Procedure Call (RPC)"))
        self.assertTrue(self.side._is_steady("net", "Event Log"))


class NameServer(unittest.TestCase):
    def answer(self, name: bytes, kind: int) -> tuple[int, int]:
        """The error code and the number of answers."""
        labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
        query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)
        server = prefix_facts.NameServer.__new__(prefix_facts.NameServer)
        number, flags, _, answers = struct.unpack_from(">4H", server.answer(query))
        self.assertEqual(number, 7)
        return flags & 15, answers

    def test_knows_full_names_only(self):
        self.assertEqual(self.answer(b"printer.corp.example", 1), (0, 1))
        self.assertEqual(self.answer(b"Printer.corp.example", 28), (0, 0))
        self.assertEqual(self.answer(b"printer", 1), (3, 0))


if __name__ == "__main__":
    unittest.main()
