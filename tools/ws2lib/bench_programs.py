"""The programs of `ws2 bench`: what Go and Node.js make of a ws2_32.dll. Server and clients are one
process, the source is tests/bench/programs, and the output is that of bench.exe. PostgreSQL, which is
more than a process, is in bench_postgres."""

import re
import shutil
import subprocess

from . import bench_postgres, fetch, packages, paths
from .go_build import ARCHES as GO_ARCHES, built_with_go
from .ui import Failure, run_quietly, say

SOURCES = paths.ROOT / "tests" / "bench" / "programs"
_GO = ("go_http_32", "go_echo_1", "go_echo_64", "go_udp")
_NODE = ("node_http_32", "node_echo_64")
NAMES = (*_GO, *_NODE, bench_postgres.NAME)
NAMES_OF_ARCH = {"x86_64": NAMES, "i386": (*_GO, *_NODE)}  # PostgreSQL is there for 64-bit Windows only


def prepare(names: list[str], arch: str, failures: list) -> dict:
    """The programs for these workloads, by name, for Windows of this architecture. What cannot be had is added to
    `failures`."""
    found = {}
    for group, make in ((_GO, lambda: _go(arch)), (_NODE, lambda: _node(arch)),
                        ((bench_postgres.NAME,), bench_postgres.Postgres)):
        chosen = [name for name in group if name in names]
        try:
            if chosen:
                program = make()
                found.update(dict.fromkeys(chosen, program))
        except Failure as failure:
            failures.append(f"{', '.join(chosen)}: {failure}")
            say(failures[-1])
    return found


class NetworkProgram:
    """A program that takes the name of a workload and the number of samples, and prints the figures."""
    has_native = True

    def __init__(self, windows: list, native: list, option: str = "", environment: dict | None = None):
        self._windows = windows          # the command up to the workload
        self._native = native
        self._option = option            # what stands before the number of samples; before the workload then
        self._environment = environment or {}

    def output(self, workload: str, prefix, samples: int, timeout: float) -> str:
        """What it prints in `prefix` or, without one, natively."""
        arguments = [self._option, str(samples), workload] if self._option else [workload, str(samples)]
        if prefix:
            return prefix.run(*self._windows, *arguments, timeout=timeout, environment=self._environment)
        done = subprocess.run([*self._native, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=timeout, check=False)
        if done.returncode:
            raise Failure(done.stderr.strip()[-500:] or f"exit code {done.returncode}")
        return done.stdout


def _go(arch: str) -> NetworkProgram:
    packages.ensure("bench-go")
    folder = built_with_go(SOURCES / "network.go", paths.cache() / "bench" / "go",
                           {f"windows/{GO_ARCHES[arch]}": "network.exe", "linux/amd64": "network"})
    return NetworkProgram([folder / "network.exe"], [folder / "network"], "-samples")


def _node(arch: str) -> NetworkProgram:
    packages.ensure("bench-node")
    package = fetch.NODES[arch]
    exe = fetch.unpacked_npm(package) / "bin" / "node.exe"
    script = SOURCES / "network.js"
    native = shutil.which("node")
    theirs = re.sub(r"^v", "", run_quietly([native, "--version"]).strip())
    if theirs.partition(".")[0] != package.version.partition(".")[0]:
        say(f"the machine's Node.js is {theirs}, the one for Windows {package.version}: "
            "their ratio is of different programs")
    # Wine 8.0 says it is Windows 7, on which Node.js does not start unasked.
    return NetworkProgram([exe, script], [native, script], environment={"NODE_SKIP_PLATFORM_CHECK": "1"})
