"""The DLLs as a user gets them: what they import and export, and that they are stripped."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from ws2lib import paths, pe  # noqa: E402

ALLOWED_IMPORTS = {"ntdll.dll", "kernel32.dll", "msvcrt.dll"}


def exports_of_windows(arch: str) -> dict[str, tuple[int, int]]:
    """Name, and ordinal and number of arguments, of every export there has to be."""
    listing = (paths.ROOT / "tests" / "common" / "windows_exports.def").read_text()
    return {name: (int(ordinal), int(arguments)) for only_64, ordinal, name, arguments in
            re.findall(r"^EXPORT(64)?\((\d+), (\w+), (\d+)\)$", listing, re.MULTILINE)
            if arch == "x86_64" or not only_64}


def exports_of_dll(headers: str) -> dict[str, int]:
    """Name and ordinal of every export, of what objdump -p prints."""
    base = int(re.search(r"Ordinal Base\s+(\d+)", headers)[1])
    table = headers.split("[Ordinal/Name Pointer] Table", 1)[1]
    return {name: int(index) + (0 if "+base" in line else base) for line, index, name in
            re.findall(r"^(\s*\[\s*(\d+)\]\s+(?:\+base\[\s*\d+\]\s+)?(?:[0-9a-f]+\s+)?(\w+))$", table,
                       re.MULTILINE)}


class Artifacts(unittest.TestCase):
    def each(self):
        for arch, triplet in paths.ARCHES.items():
            dll = paths.dll(arch)
            if not dll.is_file():
                self.skipTest(f"{dll} is not built")
            with self.subTest(arch=arch):
                yield arch, dll, subprocess.run([f"{triplet}-objdump", "-p", dll], check=True, text=True,
                                                capture_output=True).stdout

    def test_machine_and_version(self):
        for arch, dll, _ in self.each():
            self.assertEqual(pe.machine(dll), arch)
            self.assertEqual(pe.version_string(dll, "ProductName"), paths.PRODUCT)
            self.assertRegex(pe.version_string(dll, "FileVersion") or "", r"^\d+\.\d+")

    def test_imports_only_what_every_prefix_has_without_sockets(self):
        for _, _, headers in self.each():
            imports = {name.lower() for name in re.findall(r"DLL Name: (\S+)", headers)}
            self.assertLessEqual(imports, ALLOWED_IMPORTS)

    def test_exports_what_windows_does_and_nothing_else(self):
        for arch, _, headers in self.each():
            expected = {name: ordinal for name, (ordinal, _) in exports_of_windows(arch).items()}
            self.assertGreater(len(expected), 150)
            self.assertEqual(exports_of_dll(headers), expected)

    def test_functions_take_the_arguments_of_windows(self):
        # A 32-bit function removes its arguments from the stack, and its symbol says how many bytes they are.
        unstripped = paths.BUILD / "i386" / "dlls" / "ws2_32" / "ws2_32.dll"
        if not unstripped.is_file():
            self.skipTest(f"{unstripped} is not built")
        symbols = subprocess.run([f"{paths.ARCHES['i386']}-nm", unstripped], check=True, text=True,
                                 capture_output=True).stdout
        found = {name: int(size) // 4 for name, size in re.findall(r" T _(\w+)@(\d+)$", symbols, re.MULTILINE)}
        expected = {name: arguments for name, (_, arguments) in exports_of_windows("i386").items()}
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_stripped(self):
        for arch, dll, _ in self.each():
            sections = subprocess.run([f"{paths.ARCHES[arch]}-objdump", "-h", dll], check=True, text=True,
                                      capture_output=True).stdout
            self.assertNotIn(".debug", sections)


class Ntke(unittest.TestCase):
    """The two halves beside it."""

    def each(self):
        built = [arch for arch in paths.ARCHES if all(half.is_file() for half in paths.ntke_halves(arch))]
        if not built:
            self.skipTest("ntke is not built")
        for arch in built:
            with self.subTest(arch=arch):
                yield arch, *paths.ntke_halves(arch)

    @staticmethod
    def output(*command) -> str:
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout

    def test_the_windows_half_is_marked_and_imports_no_runtime(self):
        for arch, dll, _ in self.each():
            self.assertEqual(dll.read_bytes()[0x40:0x51], b"Wine builtin DLL\0")
            headers = self.output(f"{paths.ARCHES[arch]}-objdump", "-p", dll)
            self.assertLessEqual({name.lower() for name in re.findall(r"DLL Name: (\S+)", headers)},
                                 {"ntdll.dll", "kernel32.dll"})
            self.assertRegex(headers, r"\bntke_interface\n")

    def test_our_dll_is_not_marked(self):
        for arch, _, _ in self.each():
            self.assertNotEqual(paths.dll(arch).read_bytes()[0x40:0x51], b"Wine builtin DLL\0")

    def test_the_linux_half_needs_the_c_library_only(self):
        for _, _, so in self.each():
            needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", self.output("readelf", "-dW", so))
            self.assertEqual(needed, ["libc.so.6"])

    def test_the_linux_half_runs_with_the_c_library_that_is_promised(self):
        for _, _, so in self.each():
            versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", self.output("readelf", "-VW", so))
            self.assertTrue(versions)
            self.assertLessEqual(max((int(major), int(minor)) for major, minor in versions), (2, 34))

    def test_the_linux_half_shows_its_table_and_its_header_and_nothing_else(self):
        for _, _, so in self.each():
            symbols = self.output("nm", "-D", "--defined-only", so)
            self.assertEqual([line.split()[-1] for line in symbols.splitlines()],
                             ["__wine_spec_nt_header", "__wine_unix_call_funcs", "__wine_unix_call_wow64_funcs"])

    def test_stripped(self):
        for _, _, so in self.each():
            self.assertNotIn(".debug", self.output("readelf", "-SW", so))


if __name__ == "__main__":
    unittest.main()
