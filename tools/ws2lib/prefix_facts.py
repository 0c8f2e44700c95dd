"""The sides `prefix` of `ws2 test`: what a program, the libraries of Wine's in it and Wine's own programs
find in a prefix is the same after our DLL was installed as before. tests/prefix/facts.cpp tells most of
it, as lines that can be compared.

Every comparison starts the prefix's server anew: Wine's boot program is a program of the prefix as well,
and what it finds decides what all others find.
"""

import contextlib
import difflib
import http.server
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from . import paths, prefix as installer, prefix_ask, release
from .report import Report
from .ui import Failure, run_quietly
from .wine import (QUIET_OVERRIDES, Prefix, RootWine, Wine, WineWithin, copy_prefix, fresh_prefix, kernel_and_module,
                   prefixes_folder, proof_of_kernel, proof_of_library, template)

LIMIT = 300  # seconds; only there to end a hang
SCRIPTS = paths.ROOT / "tests" / "prefix"
BY_HAND = {"WINEDLLOVERRIDES": f"{QUIET_OVERRIDES};ws2_32=n,b"}  # what the README says
USER = 54321  # an ordinary one
UNIX = f"C:\\windows\\system32\\{paths.NTKE_UNIX}"

HOST = "elsewhere"  # the name of a computer that is not this one
DOMAIN = "corp.example"
SERVER = "127.0.0.9"  # a name server of our own
ADDRESS = "192.0.2.77"


def run(report: Report, wine: Wine, arch: str) -> None:
    with fresh_prefix(wine, serve=False) as prefix, Neighbours() as neighbours:
        side = Side(report, prefix, arch, neighbours)
        before = {start: side.facts(start, ours=False) for start in ("program", "wineboot")}
        tools_before = side.tools()
        side.check_sane(before["program"] + tools_before)
        with side.elsewhere() as there:
            elsewhere_before = there.facts("program", ours=False) if there else None

        side.compare("by hand", before["program"], side.by_hand())
        side.compare("ws2 run", before["program"], side.ws2_run())
        check_setup(side, before["program"], tools_before)

        prefix.stop()
        installer.install(prefix.folder)
        for start, facts in before.items():
            side.compare(f"installed, started by {start}", facts, side.facts(start))
        side.compare("Wine's own programs", tools_before, side.tools())
        side.compare("installed, with ws2_32=n,b", before["program"], side.facts("program", env=BY_HAND))
        if elsewhere_before is None:
            report.skip("another host name", "needs root, for a name server and a host name of its own")
        else:
            with side.elsewhere() as there:
                side.compare("another host name", elsewhere_before, there.facts("program"))
        if arch == "x86_64" and not isinstance(wine, RootWine):
            prefix.stop()
            check_status(report, wine, prefix.folder)
    if arch == "x86_64":
        check_anybody(report, wine)
    elif getattr(wine, "emulates_32bit", False):
        report.skip("a prefix for 32-bit programs only", "its server would run emulated")
    else:
        check_32_bit_prefix(report, Only32Bit(wine))


def check_32_bit_prefix(report: Report, wine: "Only32Bit") -> None:
    """A prefix that has no 64-bit half, where our DLL lies in the other folder."""
    holder = Path(tempfile.mkdtemp(prefix=f"fresh-{os.getpid()}-", dir=prefixes_folder()))
    prefix = Prefix(wine, holder / "prefix")
    prefix.settings["WINEARCH"] = "win32"
    try:
        prefix.create()
        with Neighbours() as neighbours:
            side = Side(report, prefix, "i386", neighbours)
            before = {start: side.facts(start, ours=False) for start in ("program", "wineboot")}
            tools_before = side.tools()
            side.check_sane(before["program"] + tools_before)
            prefix.stop()
            installer.install(prefix.folder)
            for start, facts in before.items():
                side.compare(f"a prefix for 32-bit programs only, started by {start}", facts, side.facts(start))
            side.compare("Wine's own programs in one for 32-bit programs only", tools_before, side.tools())
    finally:
        prefix.stop()
        shutil.rmtree(holder, ignore_errors=True)


class Only32Bit(WineWithin):
    """A Wine that starts everything with its 32-bit loader: the other one takes no such prefix."""

    def __init__(self, wine: Wine):
        super().__init__(wine, [])

    def arches(self) -> list[str]:
        return ["i386"]

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        return super().command(["wine", *words] if words[0] == "wineboot" else words, cwd, "i386")


def check_setup(side: "Side", facts: list[str], tools: list[str]) -> None:
    """What the archive's setup.sh installs changes as little, and what it takes out leaves nothing."""
    side.setup("install")
    side.compare("installed by setup.sh", facts, side.facts("program"))
    side.compare("Wine's own programs with what setup.sh installs", tools, side.tools())
    side.setup("remove")
    side.compare("taken out by setup.sh", facts, side.facts("program", ours=False))


def check_status(report: Report, wine: Wine, folder: Path) -> None:
    """`ws2 prefix status` tells what this machine's Wine gives a program, or why it gives something else, and
    changes nothing for that."""
    system32 = folder / "drive_c" / "windows" / "system32"
    wines_own = template(wine) / "drive_c" / "windows" / "system32" / "ws2_32.dll"
    for spoil, wanted in (
            (lambda: None, rf"a program gets .* on the kernel ntke \({re.escape(UNIX)}\)"),
            ((system32 / paths.NTKE_UNIX).unlink, r"a program gets .* on the kernel host \(ntke_unix.dll: error 126.*"),
            (lambda: shutil.copy(wines_own, system32), rf"a program gets .* of {paths.BUILTIN_PRODUCT}")):
        spoil()
        before = _times(folder)
        told = prefix_ask.answer(folder, "x86_64")
        if not re.fullmatch(wanted, told):
            report.fail("prefix status", f"tells {told!r}, and {wanted!r} was meant")
        elif _times(folder) != before:
            report.fail("prefix status", "changes the prefix")
        else:
            report.ok()


def _times(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def check_anybody(report: Report, wine: Wine) -> None:
    """An installed prefix gives ntke to whoever starts a program in it: an ordinary user too, and without
    the drive on which programs see the files of Linux."""
    if os.geteuid() != 0:
        report.skip("an ordinary user", "needs root, to be somebody else")
        return
    holder = Path(tempfile.mkdtemp(prefix="ws2-anybody-"))  # the cache may be in a folder of root's own
    prefix = Prefix(wine, holder / "prefix")
    try:
        holder.chmod(0o755)
        copy_prefix(template(wine), prefix.folder)
        (prefix.folder / "dosdevices" / "z:").unlink()
        shutil.copy(paths.probe("x86_64"), prefix.folder / "drive_c" / "probe.exe")
        give_away(prefix.folder, USER)
        installer.install(prefix.folder)
        wine.user = USER
        prefix.settings["HOME"] = str(prefix.folder)
        outcome = prefix.run(prefix.folder / "drive_c" / "probe.exe", timeout=LIMIT, cwd=prefix.folder)
        if outcome.exit_code == 0 and proof_of_library(outcome.output, True) \
                and kernel_and_module(outcome.output) == ("ntke", UNIX):
            report.ok()
        else:
            report.fail("an ordinary user, without a drive Z:", f"the probe ended with {outcome.exit_code}",
                        outcome.output.splitlines()[-12:])
    finally:
        prefix.stop()
        wine.user = None
        shutil.rmtree(holder, ignore_errors=True)


def give_away(folder: Path, user: int) -> None:
    """But not the files that are shared with other prefixes."""
    for path in [folder, *folder.rglob("*")]:
        info = path.lstat()
        if stat.S_ISDIR(info.st_mode) or info.st_nlink == 1:
            os.chown(path, user, user, follow_symlinks=False)


class Neighbours:
    """What the programs meet on this machine: an HTTP server, and a connection for `netstat`."""

    def __enter__(self):
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._ends = [socket.create_connection(listener.getsockname()), listener.accept()[0]]
        self.connection = [end.getsockname()[1] for end in self._ends]
        return self

    def __exit__(self, *_):
        for end in self._ends:
            end.close()
        self._http.shutdown()
        self._http.server_close()


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class Side:
    """One Wine, one architecture, one prefix."""

    def __init__(self, report: Report, prefix: Prefix, arch: str, neighbours: Neighbours):
        self._report = report
        self._prefix = prefix
        self._arch = arch
        self._neighbours = neighbours
        self._words = [str(neighbours.port)]
        self._program = paths.test_program(arch, "facts")

    def compare(self, name: str, before: list[str], after: list[str]) -> None:
        if before == after:
            self._report.ok()
        else:
            self._report.fail(name, "differs from what Wine's own DLL gives",
                              list(difflib.unified_diff(before, after, "before", "after", n=0, lineterm="")))

    def check_sane(self, facts: list[str]) -> None:
        """Two failures would compare equal, so Wine's own DLL has to give what there is to break."""
        for wanted in (r"GetComputerName: .+, error 0", "WinHTTP: status 200, error 0", "gethostname: .+",
                       "GetAdaptersAddresses: error 0", "SIO_ADDRESS_LIST_QUERY: error 0,.*",
                       "service nsiproxy: start type 2, state 4", "RpcSs: error 0, state 4",
                       "WinHttpRequest: status 200, text hello, error 0", ".*IPAddress.*",
                       "Active Connections", "Event Log"):
            if not any(re.fullmatch(wanted, line) for line in facts):
                raise Failure(f"with Wine's own DLL already, no line is {wanted!r}:\n" + "\n".join(facts))

    def facts(self, start: str, ours: bool = True, env: dict[str, str] | None = None) -> list[str]:
        """With a server started by the program itself, or by wineboot before it."""
        return self._facts(self._prefix, self._program, start, ours, env)

    def _facts(self, prefix: Prefix, program: Path, start: str, ours: bool,
               env: dict[str, str] | None) -> list[str]:
        prefix.stop()
        if start == "wineboot":
            run_quietly(prefix.wine.command(["wineboot"], prefix.folder), cwd=prefix.folder,
                        env=prefix.environment(env), timeout=LIMIT)
        outcome = prefix.run(program, *self._words, timeout=LIMIT, env=env, cwd=program.parent, ours=ours)
        kernel = "ntke" if ours else "host"
        return _facts_of(outcome.output, outcome.exit_code, ours, kernel)

    def tools(self) -> list[str]:
        """What Wine's own programs tell."""
        port = str(self._neighbours.port)
        lines = []
        for words in (["hostname"], ["ipconfig", "/all"], ["netstat"], ["net", "start"],
                      ["wmic", "nicconfig", "get", "IPAddress,IPSubnet,DefaultIPGateway,DNSServerSearchOrder"],
                      ["cscript", "//nologo", "winhttp.vbs", port]):
            outcome = self._prefix.run(*words, timeout=LIMIT, cwd=SCRIPTS, arch=self._arch)
            lines.append(f"{' '.join(words)}: exit code {outcome.exit_code}")
            lines += [line for line in _plain_lines(outcome.output) if self._is_steady(words[0], line)]
        return lines

    def _is_steady(self, tool: str, line: str) -> bool:
        """Not what other programs of this machine, or the moment, add to a list."""
        if tool == "netstat":
            return "TCP" not in line or all(f":{port} " in line for port in self._neighbours.connection)
        if tool == "net":  # services that are started on demand
            return not re.search(r"Remote Procedure Call|Winedevice", line)
        return "XDG_RUNTIME_DIR" not in line  # a Linux library's complaint when a desktop is made

    def by_hand(self) -> list[str]:
        """The DLLs lie beside the program, in a prefix that has only Wine's."""
        folder = self._prefix.folder.parent / "by-hand"
        folder.mkdir()
        files = {self._program.name: self._program, "ws2_32.dll": paths.dll(self._arch),
                 paths.NTKE_UNIX: paths.ntke_so(self._arch)}
        for name, file in files.items():
            shutil.copy(file, folder / name)
        return self._facts(self._prefix, folder / self._program.name, "program", True, BY_HAND)

    def setup(self, verb: str) -> None:
        """As who unpacks the archive does it."""
        self._prefix.stop()
        folder = self._prefix.folder.parent / "release"
        if not folder.exists():
            release.lay_out(folder)
        run_quietly([folder / "setup.sh", verb, self._prefix.folder], cwd=folder.parent, timeout=LIMIT)

    def ws2_run(self) -> list[str]:
        """In a prefix that `ws2 run` makes."""
        wine = self._prefix.wine
        own = Prefix(wine, self._prefix.folder.parent / "run")
        version = ["--wine", wine.version] if isinstance(wine, RootWine) else []
        try:
            done = subprocess.run(
                [sys.executable, str(paths.ROOT / "tools" / "ws2"), "run", *version, "--prefix", str(own.folder),
                 str(self._program), *self._words], env=own.environment(), check=False, timeout=2 * LIMIT,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                errors="replace")
        finally:
            own.stop()
        if done.returncode:
            raise Failure(f"`ws2 run` ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return _facts_of(done.stdout.replace("\r\n", "\n"), done.returncode, True, "ntke")

    @contextlib.contextmanager
    def elsewhere(self):
        """The same prefix on a computer of another name, whose domain only a name server tells. None where
        that cannot be had."""
        try:
            server = NameServer()
        except OSError:
            yield None
            return
        with server:
            wine = Elsewhere(self._prefix.wine, self._prefix.folder.parent)
            there = Side(self._report, Prefix(wine, self._prefix.folder), self._arch, self._neighbours)
            there._words = ["0", "printer"]  # pylint: disable=protected-access
            try:
                yield there
            finally:
                self._prefix.stop()


def _facts_of(output: str, exit_code: int | None, ours: bool, kernel: str) -> list[str]:
    """The facts a program told; Failure if it did not tell them to the end or ran on the wrong DLL."""
    if exit_code != 0 or "# complete" not in output.splitlines():
        raise Failure(f"the program ended with {exit_code}; it wrote:\n{output[-2000:]}")
    proof_of_library(output, ours)
    if (found := proof_of_kernel(output)) != kernel:
        raise Failure(f"the program ran on the kernel {found}, not {kernel}")
    # The rule that is not Wine's: a program has to start Winsock. [WSAStartup/8]
    if ours and "# refused: 10093" not in output.splitlines():
        raise Failure("the program was not refused before WSAStartup; it wrote:\n" + output[-2000:])
    return _plain_lines(output)


def _plain_lines(output: str) -> list[str]:
    """Without comments, and without what is only form: UTF-16 (wmic), columns."""
    text = output.replace("\0", "").replace("\ufffd", "").replace("\ufeff", "")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


class Elsewhere(Wine):
    """Runs the commands of a Wine where the computer has another name, no line for it in its hosts file,
    and a name server of ours."""

    # Positional: the folder with the files that take the place of those in /etc, the name, the command.
    SCRIPT = r"""
folder=$1 name=$2; shift 2
echo "$name" >/proc/sys/kernel/hostname
for file in hosts resolv.conf; do mount --bind "$folder/$file" "/etc/$file"; done
exec "$@"
"""

    def __init__(self, wine: Wine, folder: Path):
        # pylint: disable=super-init-not-called
        self._wine = wine
        self._folder = folder
        self.version = wine.version
        (folder / "hosts").write_text("127.0.0.1 localhost\n")
        (folder / "resolv.conf").write_text(f"search {DOMAIN}\nnameserver {SERVER}\n")

    def arches(self) -> list[str]:
        return self._wine.arches()

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        return ["unshare", "--uts", "--mount", "--propagation", "private", "--", "sh", "-euc", self.SCRIPT, "sh",
                str(self._folder), HOST, *self._wine.command(words, cwd, arch)]


class NameServer:
    """Knows a few names of DOMAIN, with an IPv4 address. OSError where its port may not be had."""

    NAMES = {f"{HOST}.{DOMAIN}".encode(), f"printer.{DOMAIN}".encode()}

    def __init__(self):
        if os.geteuid() != 0:
            raise PermissionError("a host name of its own needs root")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((SERVER, 53))
        except OSError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"", (SERVER, 53))  # ends _serve
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(1500)
            if not query:
                return
            self._socket.sendto(self.answer(query), peer)

    def answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        question = query[12:at + 5]
        known = b".".join(labels).lower() in self.NAMES
        record = b""
        if known and question[-4:-2] == b"\0\1":
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(ADDRESS)
        return query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, 1 if record else 0, 0, 0) \
            + question + record
