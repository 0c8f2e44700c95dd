"""Windows programs under Wine: starting them, talking to them, and proving which ws2_32.dll each one
loaded."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .report import CaseFailed, expect

# How long a program may take before it counts as hung. No finding rests on it.
PATIENCE = 120

_LOADED = re.compile(r'([0-9a-f]{4,}):[0-9a-f]{4,}:trace:loaddll:\S+ Loaded '
                     r'(?:module )?L"(.*?)" at \S+: (native|builtin)')


class Wine:
    """A wine command with its prefix and the ws2_32.dll that programs are expected to load in it."""

    def __init__(self, command: str, prefix: Path, product: str, scratch: Path, arch: str = "x86_64"):
        self.command = command
        self.prefix = prefix
        self.product = product
        self.scratch = scratch
        self.arch = arch  # of the programs
        self._started: list[Program] = []
        self._endings = []

    def at_end(self, ending) -> None:
        """Has `ending` called when all cases of the program have run."""
        self._endings.append(ending)

    def end(self) -> None:
        for ending in self._endings:
            ending()

    def start(self, exe: Path, *args, stdin=subprocess.DEVNULL, env=None, cwd=None) -> "Program":
        program = Program(self, exe, [str(arg) for arg in args], stdin, env or {}, cwd)
        self._started.append(program)
        return program

    def run(self, exe: Path, *args, stdin: bytes | None = None, env=None, cwd=None) -> "Program":
        """Runs to the end; the program must exit with 0 and must have used the expected DLL."""
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            file.write(stdin or b"")
            file.seek(0)
            program = self.start(exe, *args, stdin=file, env=env, cwd=cwd)
        program.finish()
        return program

    def reg_add(self, key: str, name: str, value: str) -> None:
        subprocess.run([self.command, "reg", "add", key, "/v", name, "/d", value, "/f"],
                       env=self.environment({"WINEDEBUG": "-all"}), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE,
                       check=True)

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return dict(os.environ, WINEPREFIX=str(self.prefix), **more)

    def end_case(self) -> str:
        """Ends what a case left running and returns what its programs wrote, for the report."""
        texts = []
        for program in self._started:
            program.kill()
            texts.append(program.story())
        self._started = []
        return "\n".join(texts)

    def unix_path(self, path: str) -> Path:
        """The file a Windows path means in this prefix, whatever the case of its letters."""
        drive, rest = path[:2].lower(), path[2:].replace("\\", "/").strip("/")
        found = (self.prefix / "dosdevices" / drive).resolve()
        if self.arch == "i386":  # whose system32 is a folder of another name
            rest = re.sub(r"(?i)^windows/system32/", "windows/syswow64/", rest)
        for part in rest.split("/"):
            exact = found / part
            found = exact if exact.exists() else next(
                (entry for entry in found.iterdir() if entry.name.lower() == part.lower()), exact)
        return found

    def check_dll(self, where: str, kind: str) -> None:
        """The builtin is known by Wine's own word; ours by that and by its version resource."""
        expected_kind = "builtin" if self.product == "Wine" else "native"
        expect(kind == expected_kind, f"ws2_32.dll is {kind} ({where}), expected {expected_kind}")
        product = product_name(self.unix_path(where))
        expect(kind == "builtin" or product == self.product,
               f"{where} is of product {product!r}, expected {self.product!r}")

    def check_trace(self, trace: str, exe: str) -> None:
        """Every process that is `exe` (a program may start itself again) must have loaded
        ws2_32.dll, and the expected one."""
        processes: dict[str, list[tuple[str, str]]] = {}
        ours = set()
        for process, path, kind in _LOADED.findall(trace):
            path = path.replace("\\\\", "\\")
            name = path.rsplit("\\", 1)[-1].lower()
            if name == exe.lower():
                ours.add(process)
            if name == "ws2_32.dll":
                processes.setdefault(process, []).append((path, kind))
        expect(bool(ours), f"Wine's module trace does not show {exe}")
        expect(bool(ours & processes.keys()), f"{exe} loaded no ws2_32.dll")
        for process in sorted(ours):
            for path, kind in processes.get(process, []):
                self.check_dll(path, kind)


class Program:
    """One started Windows program. Its standard output and standard error (with Wine's module trace
    in the latter) are files: some programs cannot write to the pipes of Linux."""

    def __init__(self, wine: Wine, exe: Path, args: list[str], stdin, env: dict[str, str], cwd):
        self._wine = wine
        self._exe = exe
        self._args = args
        self._stdout = tempfile.NamedTemporaryFile(dir=wine.scratch, suffix=".stdout")
        self._stderr = tempfile.NamedTemporaryFile(dir=wine.scratch, suffix=".stderr")
        self._process = subprocess.Popen(
            [wine.command, str(exe), *args], stdin=stdin, stdout=self._stdout, stderr=self._stderr,
            cwd=cwd or wine.scratch, start_new_session=True,
            env=wine.environment({"WINEDEBUG": "-all,+pid,+loaddll", **env}))
        self.stdin = self._process.stdin

    @property
    def output(self) -> bytes:
        return Path(self._stdout.name).read_bytes()

    def wait_for(self, start: str, patience: float = PATIENCE) -> str:
        """The rest of the first line of output that begins with `start`."""
        pattern = rf"(?m)^{re.escape(start)}(.*)\n"
        return self._wait_for(lambda: self.output.decode(errors="replace"), pattern, patience)[1].strip()

    def wait_for_stderr(self, pattern: str, patience: float = PATIENCE) -> re.Match:
        return self._wait_for(self.stderr, pattern, patience)

    def _wait_for(self, text, pattern: str, patience: float) -> re.Match:
        deadline = time.monotonic() + patience
        while True:
            ended = self._process.poll() is not None  # Asked first: the last output comes before the end.
            if match := re.search(pattern, text()):
                return match
            expect(not ended, f"{self._exe.name} ended before it wrote {pattern!r}")
            expect(time.monotonic() < deadline, f"{self._exe.name} did not write {pattern!r}")
            time.sleep(0.02)

    def finish(self, exit_code: int = 0) -> None:
        """Waits for the end, then checks exit code and DLL."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise CaseFailed(f"{self._exe.name} hangs") from None
        expect(self._process.returncode == exit_code,
               f"{self._exe.name} exited with {self._process.returncode}, expected {exit_code}")
        self.check_dll()

    def stop(self) -> None:
        """Ends a server that runs until it is told to, and checks its DLL."""
        self.kill()
        self.check_dll()

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def check_dll(self) -> None:
        self._wine.check_trace(self._raw_stderr(), self._exe.name)

    def has_loaded(self, name: str) -> bool:
        """Does the trace show a module whose name begins like this?"""
        return any(path.replace("\\\\", "\\").rpartition("\\")[2].lower().startswith(name)
                   for _, path, _ in _LOADED.findall(self._raw_stderr()))

    def _raw_stderr(self) -> str:
        return Path(self._stderr.name).read_text(errors="replace")

    def stderr(self) -> str:
        """What the program wrote there, without Wine's trace."""
        return re.sub(r"[0-9a-f]{4,}:[0-9a-f]{4,}:trace:loaddll:[^\n]*\n", "", self._raw_stderr())

    def story(self) -> str:
        return (f"{self._exe.name} {' '.join(self._args)[:300]}\n"
                f"exit code: {self._process.poll()}\nstdout: {self.output[-1500:]!r}\n"
                f"stderr: {self.stderr()[-3000:]}")


def windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def product_name(file: Path) -> str | None:
    """ProductName of a PE file's version resource: in it every string stands as UTF-16, the name,
    a zero, padding to four bytes, the value, a zero."""
    data = file.read_bytes()
    start = data.find("ProductName\0".encode("utf-16-le"))
    if start < 0:
        return None
    text = data[start:start + 1024].decode("utf-16-le", errors="replace")[len("ProductName"):]
    return text.lstrip("\0").split("\0", 1)[0]
