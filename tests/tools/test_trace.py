"""`ws2 trace`, as far as it needs no Wine: the language of faults, files that are no recordings, the check of the
Trace Event format, and how entries become calls and sockets."""

import argparse
import contextlib
import datetime
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import (fault, timeline_build, timeline_file, timeline_model, trace, trace_findings,  # noqa: E402
                    trace_page, trace_schema, trace_text, winsock_errors)
from ws2lib.timeline_file import Entry, Recording  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402


BEGAN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


class Faults(unittest.TestCase):
    def test_a_group_means_the_calls_of_both_kinds_of_programs(self):
        setting = fault.setting(["recv:ECONNRESET:p=0.01"], 7)
        self.assertEqual(setting.split(";")[0], "7")
        self.assertIn("recv,10054,0,0,10000,0,0", setting.split(";"))
        self.assertIn("WSARecv,10054,0,0,10000,0,0", setting.split(";"))

    def test_what_and_when(self):
        self.assertEqual(fault.setting(["WSASend:short"], 1), "1;WSASend,0,1,0,1000000,0,0")
        self.assertEqual(fault.setting(["bind:delay=2s"], 1), "1;bind,0,0,2000,1000000,0,0")
        self.assertEqual(fault.setting(["listen:WSAEMFILE:after=100:times=2"], 1), "1;listen,10024,0,0,1000000,100,2")
        self.assertIn("getaddrinfo,11002,0,500,", fault.setting(["getaddrinfo:WSATRY_AGAIN:delay=500ms"], 1))

    def test_what_is_not_understood_is_refused(self):
        for wrong in ("recieve:ECONNRESET", "recv", "recv:EFUNNY", "recv:short:p=2", "recv:short:p=x", "recv:delay=soon",
                      "recv:short:often", "send:short:after=-1", "recv:short:when=now", "recv:short:p=inf",
                      "recv:delay=99999999999s", "listen:short", "htons:delay=1s", "WSAGetLastError:EFAULT",
                      "inet_addr:EFAULT", "accept_ex:EFAULT"):
            with self.subTest(wrong), self.assertRaises(Failure):
                fault.setting([wrong], 1)

    def test_errors_have_names_and_numbers(self):
        for text in ("WSAECONNRESET", "ECONNRESET", "econnreset", "10054"):
            self.assertEqual(winsock_errors.number(text), 10054)
        self.assertEqual(winsock_errors.number("IO_PENDING"), 997)
        self.assertEqual(winsock_errors.name(10035), "WSAEWOULDBLOCK")
        self.assertIsNone(winsock_errors.number("nothing"))


class Files(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def test_what_is_no_recording_is_refused(self):
        for content in (b"", b"something else", b"x" * 100_000):
            path = self.folder / "rec.32-1"
            path.write_bytes(content)
            with self.assertRaises(Failure):
                timeline_file.read(path)

    def test_nothing_recorded_is_said(self):
        with self.assertRaisesRegex(Failure, "nothing was recorded"):
            trace.recordings(self.folder / "rec")

    def test_a_name_that_cannot_be_written_is_refused_before_the_program_runs(self):
        args = argparse.Namespace(read=str(self.folder / "rec"), out=self.folder / "none" / "trace")
        for out in (self.folder / "none" / "trace", Path("."), Path("..")):
            args.out = out
            with self.subTest(out), self.assertRaisesRegex(Failure, "--out"):
                trace.main(args)

    def problems(self, *events: dict) -> list[str]:
        path = self.folder / "events.json"
        path.write_text(json.dumps({"traceEvents": events}))
        return trace_schema.problems(path)

    def test_the_check_of_the_format_finds_what_is_wrong(self):
        common = {"name": "recv", "pid": 1, "tid": 1, "ts": 5.0}
        call = {**common, "ph": "X", "dur": 10.0, "cat": "call", "args": {}}
        self.assertEqual(self.problems(call), [])
        self.assertTrue(self.problems({**call, "ph": "?"}))
        self.assertTrue(self.problems({**call, "dur": "10"}))
        self.assertTrue(self.problems({**call, "dur": -1.0}))
        self.assertTrue(self.problems(call, {**call, "ts": 8.0}), "sticks out")
        self.assertTrue(self.problems({**common, "ph": "s", "cat": "arrow", "id": 1}), "leads nowhere")
        self.assertTrue(self.problems({**common, "ph": "b", "cat": "socket", "id": "1"}), "never ends")


class Model(unittest.TestCase):
    """Calls are made of entries that may lack their begin, their end, or both."""

    def setUp(self):
        self.time = 0
        self.entries: list[Entry] = []

    def entry(self, kind: str, name: str, subject: int, *values: int, status: int = 0, thread: int = 1) -> None:
        self.time += 1000
        padded = (*values, 0, 0, 0, 0)[:4]
        self.entries.append(Entry(self.time, thread, kind, name, subject, padded, status, 0, b"\0" * 40))

    def call(self, name: str, subject: int, result: int, *values: int, status: int = 0) -> None:
        self.entry("call", name, subject, *values)
        self.entry("return", name, subject, result, status=status)

    def recording(self, ended: bool = True, whole_from: int = 0, kernel: str = "ntke", lost_threads: int = 0,
                  origin: int = 0) -> Recording:
        return Recording(Path("rec.32-1"), 32, "C:\\a.exe", kernel, BEGAN, origin, self.entries, 0, whole_from,
                         lost_threads, ended)

    def timeline(self, **known) -> timeline_model.Timeline:
        return timeline_build.build([self.recording(**known)])

    def test_what_it_lacks_is_told(self):
        self.assertEqual(trace_text.reservations(self.timeline()), [])
        self.assertEqual(len(trace_text.reservations(self.timeline(lost_threads=2))), 1)
        self.assertIn("crashed, or was killed", trace_text.reservations(self.timeline(ended=False))[0])
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as told:
            trace.write([self.recording(ended=False)], Path(folder) / "out")
        self.assertIn("crashed, or was killed", told.getvalue())

    def test_a_call_whose_begin_is_lost_is_none(self):
        self.entry("return", "recv", 4, 10)
        self.call("send", 4, 7)
        self.assertEqual([each.name for each in self.timeline().slices], ["send"])

    def test_a_call_that_never_ends_is_told_so(self):
        self.entry("call", "recv", 4)
        self.assertIsNone(self.timeline().slices[0].end)

    def test_a_service_belongs_to_the_call_it_is_made_in(self):
        self.entry("call", "recv", 4)
        self.entry("service", "NtDeviceIoControlFile", 4)
        self.entry("host", "NtDeviceIoControlFile", 0, 500)
        self.entry("service_end", "NtDeviceIoControlFile", 0)
        self.entry("return", "recv", 4, 10)
        outer, inner = self.timeline().slices
        self.assertIs(inner.parent, outer)
        self.assertEqual((outer.requests, inner.requests), (1, 1))

    def test_a_handle_that_is_used_again_is_another_socket(self):
        for _ in range(2):
            self.call("socket", 2, 4)
            self.call("closesocket", 4, 0)
        first, second = self.timeline().sockets
        self.assertIsNotNone(first.end)
        self.assertGreater(second.begin, first.begin)

    def test_what_has_set_the_event_has_ended_the_wait(self):
        self.call("WSACreateEvent", 0, 8)
        self.entry("call", "WSAWaitForMultipleEvents", 1)
        self.entry("handles", "", 1, 8)
        self.entry("call", "WSASetEvent", 8, thread=2)
        self.entry("return", "WSASetEvent", 8, 1, thread=2)
        self.entry("return", "WSAWaitForMultipleEvents", 1, 0)
        timeline = self.timeline()
        self.assertEqual([(cause.name, effect.name) for cause, effect in timeline.arrows],
                         [("WSASetEvent", "WSAWaitForMultipleEvents")])

    def test_findings_of_one_place_are_one(self):
        for handle in (4, 8, 12):
            self.call("socket", 2, handle)
        findings = trace_findings.find(self.timeline())
        self.assertEqual([(finding.kind, finding.count) for finding in findings], [("socket_leaked", 3)])
        self.assertEqual(trace_findings.find(self.timeline(ended=False)), [], "who is killed can close nothing")
        self.assertEqual(trace_findings.find(self.timeline(whole_from=10_000)), [], "the end may be lost")
        self.assertEqual(trace_findings.find(self.timeline(lost_threads=1)), [], "another may have closed it")

    def test_an_event_left_open_is_known_of_ntke_alone(self):
        self.call("WSACreateEvent", 0, 8)
        self.assertEqual([each.kind for each in trace_findings.find(self.timeline())], ["event_leaked"])
        self.assertEqual(trace_findings.find(self.timeline(kernel="host")), [])

    def test_a_number_that_is_used_again_is_another_process(self):
        self.call("socket", 2, 4)
        timeline = timeline_build.build([self.recording(), self.recording(origin=1_000_000)])
        self.assertEqual(len({process.number for process in timeline.processes}), 2)

    def test_no_text_ends_the_data_of_the_page(self):
        self.entry("call", "gethostbyname", 0)
        self.entries.append(Entry(self.time, 1, "text", "gethostbyname", 0, (0, 0, 0, 0), 0, 0, b"</script><!--<script>"))
        self.entry("return", "gethostbyname", 0, 0)
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            trace_page.write(self.timeline(), [], page)
            text = page.read_text(encoding="utf-8")
            self.assertIn("\\u003c!--\\u003cscript>", text)
            self.assertEqual(text.lower().count("<script"), 1)


if __name__ == "__main__":
    unittest.main()
