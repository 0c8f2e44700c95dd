"""The side `names` of `ws2 test`: the group `dns` of the conformance suite, on a computer without an IPv6 address
that reaches beyond its link, whose names a server of ours knows. It takes namespaces of Linux, which an ordinary
user has as well on most machines.
"""

import os
import subprocess
import sys
from pathlib import Path

from . import conformance
from .report import Report
from .wine import Prefix, Wine, WineWithin, fresh_prefix

PROGRAM = Path(__file__).with_name("name_server.py")
SWITCH = "WS2_TEST_NAME_SERVER"  # tells tests/conformance/dns.cpp that there is one


# A command in namespaces of its own.
ALONE = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount", "--net", "--propagation",
         "private", "--"]


def run(report: Report, wine: Wine, arch: str) -> None:
    if subprocess.run([*ALONE, "true"], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode:
        report.skip("names", "this machine lets nobody have namespaces of his own")
        return
    for dll in ("ntke", "host", "builtin"):
        gaps = conformance.Gaps(conformance.expected_files(wine.version, arch, dll))
        with fresh_prefix(wine, dll, serve=False) as prefix:
            # The server of a prefix has to start there, too.
            around = [*ALONE, sys.executable, str(PROGRAM), str(prefix.folder.parent)]
            there = Prefix(WineWithin(wine, around), prefix.folder)
            there.settings = {**prefix.settings, SWITCH: "1"}
            try:
                conformance.run_group(report, there, conformance.suite_of(arch, dll), "dns", gaps)
            finally:
                there.stop()
