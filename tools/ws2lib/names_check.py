"""The side `names` of `ws2 test`: the group `dns` of the conformance suite, on a computer without an IPv6 address
that reaches beyond its link, whose names a server of ours knows. It takes namespaces of Linux, which an ordinary
user has as well on most machines.
"""

import os
import subprocess
import sys
from pathlib import Path

from . import conformance, paths
from .report import Report
from .wine import Prefix, Wine, fresh_prefix, proof_of_library

PROGRAM = Path(__file__).with_name("name_server.py")
SWITCH = "WS2_TEST_NAME_SERVER"  # tells tests/conformance/dns.cpp that there is one


def run(report: Report, wine: Wine, arch: str) -> None:
    if subprocess.run([*Alone.enter(), "true"], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode:
        report.skip("names", "this machine lets nobody have namespaces of his own")
        return
    for dll in ("ntke", "host", "builtin"):
        ours = dll != "builtin"
        suite = conformance.Suite(paths.test_program(arch, "conformance"),
                                  ["--expect-product", paths.PRODUCT if ours else paths.BUILTIN_PRODUCT],
                                  lambda output, ours=ours: proof_of_library(output, ours))
        gaps = conformance.Gaps(conformance.expected_files(wine.version, arch, dll))
        with fresh_prefix(wine, dll, serve=False) as prefix:
            there = Prefix(Alone(wine, prefix.folder.parent), prefix.folder)
            there.settings = {**prefix.settings, SWITCH: "1"}
            try:
                conformance.run_group(report, there, suite, "dns", gaps)
            finally:
                there.stop()


class Alone(Wine):
    """Runs each command of a Wine in namespaces of its own: the server of a prefix has to start there too."""

    def __init__(self, wine: Wine, folder: Path):
        # pylint: disable=super-init-not-called
        self._wine = wine
        self._folder = folder
        self.version = wine.version

    def arches(self) -> list[str]:
        return self._wine.arches()

    @staticmethod
    def enter() -> list[str]:
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        return ["unshare", *user, "--mount", "--net", "--propagation", "private", "--"]

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        return [*self.enter(), sys.executable, str(PROGRAM), str(self._folder),
                *self._wine.command(words, cwd, arch)]
