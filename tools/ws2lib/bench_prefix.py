"""The Wine prefixes `ws2 bench` measures in: made for the run, quiet while it lasts."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import paths, wine
from .bench_kinds import Kind
from .ui import Failure, run_quietly


@dataclass(frozen=True)
class Configuration:
    """One way to run a Windows program. Its name is the key in the JSON."""
    name: str
    # What each program must end up with: the ProductName of the ws2_32.dll, and whose kernel.
    product: str
    kernel: str
    overrides: str                                  # WINEDLLOVERRIDES
    environment: dict = field(default_factory=dict)
    on_demand: bool = False                         # only when it is named

    def files(self, kind: Kind) -> dict[str, Path]:
        """What of the build lies among the DLLs of the prefix."""
        return {**(kind.dll() if self.product == paths.PRODUCT else {}),
                **(kind.ntke() if self.kernel == "ntke" else {})}


# A module of a program, as Wine's trace tells it.
_LOADED = re.compile(r'trace:loaddll:\S+ Loaded (?:module )?L"(?:.*\\)?([^"\\]*)" at \S+: (native|builtin)')

_NTKE_MODULES = (paths.NTKE_UNIX, "ntke.dll")  # the one file, and the Windows half of a pair

CONFIGURATIONS = {c.name: c for c in (
    Configuration("builtin", paths.BUILTIN_PRODUCT, "host", "ws2_32=b"),
    Configuration("host", paths.PRODUCT, "host", "ws2_32=n,b", {"WS2_32_KERNEL": "host"}),
    Configuration("ntke", paths.PRODUCT, "ntke", "ws2_32=n,b"),
    Configuration("recorded", paths.PRODUCT, "ntke", "ws2_32=n,b", {"WS2_32_TRACE": "C:\\recording"},
                  on_demand=True),
)}


def available_configurations(kind: Kind) -> list[str]:
    return [c.name for c in CONFIGURATIONS.values()
            if not c.on_demand and all(path.is_file() for path in c.files(kind).values())]


class BenchPrefix:
    """A fresh prefix with its own server. One idle Windows process keeps Wine's service processes
    from ending and starting again with every program that is measured."""

    def __init__(self, configuration: Configuration, prefix: wine.Prefix, kind: Kind):
        self.configuration = configuration
        self._prefix = prefix
        self._program = paths.test_program(kind.arch, "bench")
        self._idle = None
        self._server = None
        self._lay_out(kind)
        self.environment = prefix.environment({
            **configuration.environment,
            "WINEDLLOVERRIDES": f"{wine.QUIET_OVERRIDES};{configuration.overrides}"})

    def _lay_out(self, kind: Kind) -> None:
        for name, source in self.configuration.files(kind).items():
            if not source.is_file():
                raise Failure(f"the build has no {source}, which {self.configuration.name} needs")
            place = self._prefix.folder / "drive_c" / "windows" / kind.system / name
            place.unlink(missing_ok=True)  # It may be a hard link into the template.
            shutil.copy(source, place)
        if kind.has_mixed_pair and self.configuration.kernel == "ntke":
            self._prefix.wine.complete_ntke(self._prefix)

    def start(self, log=None) -> None:
        """Starts the server, with `log` in its debug mode, and the idle process."""
        mode = ["-f", "-d"] if log else ["-f", "-p"]
        # Debian's server notes in the prefix which folder is its own. Two that start at once, as the
        # server and the question below, would note different ones.
        self._signal_server(0)
        self._server = subprocess.Popen(  # pylint: disable=consider-using-with
            self._server_command(*mode), env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=log or subprocess.DEVNULL)
        # A program started too early would start a server of its own.
        while self._server.poll() is None and self._signal_server(0):
            time.sleep(0.02)
        self._idle = subprocess.Popen(  # pylint: disable=consider-using-with
            self.command(["--idle"]), env=self.environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if b"idle" not in self._idle.stdout.readline():
            self._signal_server()
            raise Failure(f"{self._program.name} did not start on {self.configuration.name}: "
                          + self._idle.stderr.read().decode(errors="replace"))

    @contextlib.contextmanager
    def bound(self, processors: set[int]):
        """Keeps the server on these processors meanwhile."""
        everywhere = os.sched_getaffinity(self._server.pid)
        os.sched_setaffinity(self._server.pid, processors)
        try:
            yield
        finally:
            os.sched_setaffinity(self._server.pid, everywhere)

    def stop(self) -> None:
        """Ends every process of the prefix, the server included."""
        if self._server:
            self._signal_server()
            self._server.wait()
        if self._idle:
            self._idle.communicate()
        self._idle = self._server = None

    def _signal_server(self, number: int | None = None) -> int:
        """Sends the prefix's server a signal; none: asks it to end. 0 if there was a server."""
        option = "-k" if number is None else f"-k{number}"
        return subprocess.run(self._server_command(option), env=self.environment, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    def _server_command(self, *arguments: str) -> list[str]:
        return self._prefix.wine.command(["wineserver", *arguments], self._prefix.folder)

    def command(self, arguments: list[str]) -> list[str]:
        return self._prefix.command(self._program, *arguments)

    def run(self, program: Path, *arguments, timeout: float, environment: dict | None = None,
            loads_winsock: bool = True) -> str:
        """Runs somebody else's program to its end and returns what it wrote on standard output. It must
        exit with 0, on the ws2_32.dll and the kernel of this configuration if it `loads_winsock`."""
        # Files and not pipes: what the program leaves running keeps our end of a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                self._prefix.command(program, *arguments), stdin=subprocess.DEVNULL, stdout=output,
                stderr=errors, timeout=timeout, check=False,
                env={**self.environment, "WINEDEBUG": "-all,+loaddll", **(environment or {})})
            texts = []
            for file in (output, errors):
                file.seek(0)
                texts.append(file.read().decode(errors="replace").replace("\r\n", "\n"))
        if done.returncode:
            rest = "\n".join(line for line in texts[1].splitlines() if ":loaddll:" not in line)
            raise Failure(f"{Path(program).name} ended with exit code {done.returncode}: {rest.strip()[-500:]}")
        if loads_winsock:
            self.check_trace(texts[1])
        return texts[0]

    def check_trace(self, trace: str) -> None:
        """Did the program that left this trace of its modules run on what is measured here?"""
        modules = {(name.lower(), kind) for name, kind in _LOADED.findall(trace)}
        found = {kind for name, kind in modules if name == "ws2_32.dll"}
        expected = "builtin" if self.configuration.product == paths.BUILTIN_PRODUCT else "native"
        if found != {expected}:
            raise Failure(f"a program measured as {self.configuration.name} loaded the ws2_32.dll "
                          f"{' and '.join(sorted(found)) or 'never'}, not {expected}")
        has_ntke = any(name in _NTKE_MODULES for name, _ in modules)
        if has_ntke != (self.configuration.kernel == "ntke"):
            raise Failure(f"a program measured as {self.configuration.name} ran {'with' if has_ntke else 'without'} "
                          "ntke")

    def module(self) -> dict:
        """Which ws2_32.dll a program gets here, on which kernel."""
        return self.check_module(run_quietly(self.command(["--list"]), env=self.environment, timeout=120))

    def check_module(self, output: str) -> dict:
        """What a program that ran here says about its ws2_32.dll. A figure of another DLL or kernel than
        the configuration's would be worse than none."""
        line = next((line for line in output.splitlines() if line.startswith("module ")), "")
        found = dict(re.findall(r'(\w+)="([^"]*)"', line))
        for what in ("product", "kernel"):
            if found.get(what) != getattr(self.configuration, what):
                raise Failure(f"a program measured as {self.configuration.name} ran with the {what} "
                              f"{found.get(what)!r}, not {getattr(self.configuration, what)!r}")
        return found
