"""Which kernel a program runs on: what `ws2 run` and `ws2 test` choose, and that they would notice."""

import contextlib
import io
import os
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import build, conformance, paths, prefix_ask, run, testing, wine  # noqa: E402
from ws2lib.report import Report  # noqa: E402
from ws2lib.ui import Failure  # noqa: E402

PREFIX = wine.Prefix(mock.Mock(version="8.0"), Path("/p"))


class Environment(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.dict(os.environ, {"WINEDLLPATH": "/theirs", "WS2_32_KERNEL": "host"})
        patch.start()
        self.addCleanup(patch.stop)

    def test_of_ntke_needs_no_variable(self):
        env = run._environment(PREFIX, "ntke")
        self.assertEqual(env["WINEDLLPATH"], "/theirs")
        self.assertNotIn("WS2_32_KERNEL", env)

    def test_of_host_switches_ntke_off(self):
        env = run._environment(PREFIX, "host")
        self.assertEqual((env["WS2_32_KERNEL"], env["WINEDLLPATH"]), ("host", "/theirs"))

    def test_of_builtin_asks_for_wines_own(self):
        self.assertIn("ws2_32=builtin", run._environment(PREFIX, "builtin")["WINEDLLOVERRIDES"])

    def test_of_a_test_is_not_the_callers(self):
        env = PREFIX.environment()
        self.assertNotIn("WINEDLLPATH", env)
        self.assertNotIn("WS2_32_KERNEL", env)


class Choice(unittest.TestCase):
    def chosen(self, has_ntke: bool = True) -> str:
        with mock.patch.object(run.prefix, "has_ntke", return_value=has_ntke):
            return run._default_kernel(PREFIX)

    def test_is_ntke_where_it_can_be_had(self):
        with mock.patch.dict(os.environ):
            os.environ.pop("WS2_32_KERNEL", None)
            self.assertEqual(self.chosen(), "ntke")
            self.assertEqual(self.chosen(has_ntke=False), "host")

    def test_is_host_where_the_user_says_so(self):
        with mock.patch.dict(os.environ, {"WS2_32_KERNEL": "Host"}):
            self.assertEqual(self.chosen(), "host")


class Proof(unittest.TestCase):
    PROBE = f"# ws2_32: C:\\windows\\system32\\ws2_32.dll, {paths.PRODUCT}, 0.1.0\n# kernel: %s\n"

    def told(self, kernel: str) -> str:
        return self.PROBE % (kernel + (", C:\\windows\\system32\\ntke_unix.dll" if kernel == "ntke" else ""))

    def prove(self, found: str, kernel: str, is_meant: bool = True) -> str:
        done = types.SimpleNamespace(stdout=self.told(found), stderr="", returncode=0)
        with mock.patch.object(run.subprocess, "run", return_value=done), \
                mock.patch.object(Path, "is_file", return_value=True), \
                contextlib.redirect_stderr(io.StringIO()) as told:
            run._prove(PREFIX, {}, kernel, "x86_64", "notepad", is_meant)
        return told.getvalue()

    def test_tells_the_kernel(self):
        self.assertIn(", kernel ntke\n", self.prove("ntke", "ntke"))
        self.assertIn(", kernel host\n", self.prove("host", "host"))

    def test_refuses_the_wrong_kernel(self):
        for found, kernel in (("host", "ntke"), ("ntke", "host"), ("?", "ntke")):
            with self.assertRaises(Failure):
                self.prove(found, kernel)

    def test_takes_what_comes_where_nobody_knows(self):
        self.assertIn(", kernel host\n", self.prove("host", "ntke", is_meant=False))

    def test_a_prefix_for_tests_refuses_it_too(self):
        outcome = wine.Outcome(0, self.told("host"), 0)
        with mock.patch.object(wine.Prefix, "run", return_value=outcome):
            wine._prove(PREFIX, "host", "i386")
            with self.assertRaises(Failure):
                wine._prove(PREFIX, "ntke", "x86_64")


class Answer(unittest.TestCase):
    """What `ws2 prefix status` tells of a program it has asked."""

    LIBRARY = f"# ws2_32: C:\\windows\\system32\\ws2_32.dll, {paths.PRODUCT}, 0.1.0\n"

    def answer(self, output: str, returncode: int = 0, owner: int = os.geteuid(), probe: bool = True,
               arch: str = "x86_64", arches: tuple[str, ...] = ("x86_64", "i386")) -> str:
        def run_probe(*_, stdout, **_named):
            stdout.write(output.encode())
            return types.SimpleNamespace(returncode=returncode)

        with mock.patch.object(prefix_ask.subprocess, "run", run_probe), \
                mock.patch.object(prefix_ask.shutil, "which", return_value="/usr/bin/wine"), \
                mock.patch.object(prefix_ask, "arches_here", lambda: list(arches)), \
                mock.patch.object(prefix_ask, "_twin", contextlib.nullcontext), \
                mock.patch.object(prefix_ask.os, "stat", return_value=types.SimpleNamespace(st_uid=owner)), \
                mock.patch.object(Path, "is_file", return_value=probe):
            return prefix_ask.answer(Path("/p"), arch)

    def test_of_ntke_names_the_module(self):
        told = self.answer(self.LIBRARY + "# kernel: ntke, C:\\windows\\system32\\ntke_unix.dll\n")
        self.assertRegex(told, r"a program gets .*, on the kernel ntke \(.*ntke_unix\.dll\)$")

    def test_of_host_tells_why(self):
        trace = "0024:trace:ws2kernel:load host kernel: ntke_unix.dll: error 193\n"
        self.assertRegex(self.answer(trace + self.LIBRARY + "# kernel: host\n"),
                         r"on the kernel host \(ntke_unix\.dll: error 193\)$")
        self.assertRegex(self.answer(self.LIBRARY + "# kernel: host\n"), "on the kernel host$")

    def test_of_another_dll_tells_whose_it_is(self):
        self.assertRegex(self.answer("# ws2_32: C:\\ws2_32.dll, Wine, 8.0\n# kernel: host\n"), "of Wine$")

    def test_is_not_given_where_nobody_can_be_asked(self):
        self.assertIn("somebody else's", self.answer("", owner=os.geteuid() + 1))
        self.assertIn("not built", self.answer("", probe=False))
        self.assertEqual(self.answer("", arch="i386", arches=("x86_64",)),
                         "what a 32-bit program gets was not asked: the `wine` here runs none")
        self.assertIn("could not be asked", self.answer("it broke", returncode=3))
        self.assertIn("could not be asked", self.answer("nothing of use"))


class Root(unittest.TestCase):
    def test_shows_folders_that_are_filled_later(self):
        # Its server opens files as well, and keeps what it was shown.
        with tempfile.TemporaryDirectory() as scratch, mock.patch.dict(os.environ, {"XDG_CACHE_HOME": scratch}):
            root = wine.RootWine(Path("/root"), "10.0", emulates_32bit=False)
            words = root.command(["wineserver", "-p"], Path("/tmp"))
            for name in ("bench", "clients", "downloads"):
                self.assertIn(f"{scratch}/ws2_32/{name}", words)
                self.assertTrue((Path(scratch) / "ws2_32" / name).is_dir())

    def test_without_a_32_bit_half_gets_a_pair(self):
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(paths, "DIST", Path(scratch) / "dist"):
            for path in (half for arch in paths.ARCHES for half in paths.ntke_halves(arch)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(str(path))
            for kind, laid in ((wine.RootWine, False), (wine.NewWow64Wine, True)):
                prefix = wine.Prefix(kind(Path("/root"), "10.0", emulates_32bit=False), Path(scratch) / kind.__name__)
                (prefix.folder / "drive_c/windows/syswow64").mkdir(parents=True)
                prefix.wine.complete_ntke(prefix)
                self.assertEqual((prefix.folder / "drive_c/windows/syswow64/ntke.dll").exists(), laid)
                self.assertEqual("WINEDLLPATH" in prefix.settings, laid)


class Sides(unittest.TestCase):
    def chosen(self, *sides: str) -> list[str]:
        with mock.patch.object(testing, "run_sides") as run_sides:
            testing.main(types.SimpleNamespace(list=False, side=list(sides), long=False, without_matrix=False))
        return run_sides.call_args[0][0]

    def test_all_but_those_on_demand_run_by_default(self):
        self.assertEqual(set(testing.SIDES) - set(self.chosen()), set(testing.ON_DEMAND))
        self.assertLessEqual({"ntke", "host", "builtin", "demo", "stress-ntke", "clients-ntke"},
                             set(self.chosen()))

    def test_32_bit_programs_run_where_the_machines_wine_runs_them(self):
        for arches, ran in ((["x86_64"], 0), (["x86_64", "i386"], 1)):
            report = Report(quiet=True)
            with mock.patch.object(testing, "Wine") as machines, mock.patch.object(conformance, "run") as suite, \
                    mock.patch.object(testing, "_run_stress") as stress, \
                    mock.patch.object(testing, "_run_clients") as clients:
                machines.return_value.arches.return_value = arches
                for side in ("ntke-i386", "stress-ntke-i386", "clients-ntke-i386"):
                    testing.SIDES[side](report, False)
            self.assertEqual([call.call_count for call in (suite, stress, clients)], [ran] * 3)
            self.assertEqual(report.skipped, 3 - 3 * ran)
        self.assertIn("i386", testing._needed_builds(["ntke-i386"]))

    def test_one_on_demand_runs_when_named(self):
        self.assertEqual(self.chosen("stress-host"), ["stress-host"])
        self.assertEqual(self.chosen("stress-*e"), ["stress-ntke"])

    def test_ntke_has_gaps_of_its_own(self):
        names = [path.name for path in conformance.expected_files("8.0", "x86_64", "ntke")]
        self.assertEqual(names[0], "ntke.txt")
        self.assertTrue(all(name.startswith("ntke") for name in names))


class Build(unittest.TestCase):
    def built(self, *names: str, machine: str = "x86_64") -> list[str]:
        with mock.patch.object(build, "_build_one") as build_one, \
                mock.patch.object(build.packages, "ensure"), \
                mock.patch.object(build, "fill_package_cache"), \
                mock.patch.object(build, "exclusive", return_value=contextlib.nullcontext()), \
                mock.patch.object(build.platform, "machine", return_value=machine):
            build.build(*names)
        return [call[0][0] for call in build_one.call_args_list]

    def test_the_linux_half_comes_with_the_dll_of_its_programs(self):
        self.assertEqual(self.built("x86_64"), ["unix", "x86_64"])
        self.assertEqual(self.built("i386", "native"), ["unix-i386", "i386", "native"])

    def test_another_machine_makes_no_linux_half(self):
        self.assertEqual(self.built("x86_64", machine="aarch64"), ["x86_64"])


if __name__ == "__main__":
    unittest.main()
