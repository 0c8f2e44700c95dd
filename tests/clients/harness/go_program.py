"""scripts/network.go, built for Windows and for this machine: Go's net and net/http under a small program
that checks what it receives."""

import shutil
import subprocess
from pathlib import Path

from ws2lib import paths
from ws2lib.fetch import Unavailable
from ws2lib.go_build import ARCHES, built_with_go

from .report import expect, expect_equal
from .wine import PATIENCE, Wine

_SOURCE = Path(__file__).resolve().parents[1] / "scripts" / "network.go"


class NativeServer:
    """The program for this machine, serving until the `with` block ends."""

    def __init__(self, exe: Path, *args):
        self._process = subprocess.Popen([exe, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        start, _, self.address = self._process.stdout.readline().strip().partition(" ")
        expect_equal(start, "listening", "what the native server writes")
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=PATIENCE)


class GoProgram:
    """Both builds of it. A client's result is the line that it writes."""

    def __init__(self, wine: Wine):
        if not shutil.which("go"):
            raise Unavailable("go is needed to build it")
        folder = built_with_go(_SOURCE, paths.cache() / "clients" / "network",
                               {f"windows/{ARCHES[wine.arch]}": "network.exe", "linux/amd64": "network"})
        self._wine = wine
        self.exe = folder / "network.exe"
        self._native = folder / "network"

    def serve(self, *args) -> tuple:
        """The started program for Windows, and the address it has got."""
        program = self._wine.start(self.exe, *args, stdin=subprocess.PIPE)
        return program, program.wait_for("listening ")

    def end(self, program) -> None:
        program.stdin.close()
        expect_equal(program.wait_for("gone "), "true", "whether the listener has left nothing")
        program.finish()
        expect(b"failed" not in program.output, f"the server wrote {program.output!r}")

    def run(self, *args) -> str:
        return self._wine.run(self.exe, *args).output.decode().strip()

    def native_server(self, *args) -> NativeServer:
        return NativeServer(self._native, *args)

    def run_native(self, *args) -> str:
        return subprocess.run([self._native, *args], stdout=subprocess.PIPE, text=True,
                              timeout=PATIENCE).stdout.strip()
