"""PuTTY's plink and psftp, cross-built from Debian's source: WSAEventSelect on every socket, one
event, WSAEnumNetworkEvents on each signal. The SSH server is uppity, the test server of the same
source, built for Linux."""

import concurrent.futures
import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness import peers
from harness.build import built_with_cmake
from harness.payload import payload
from harness.report import expect, expect_equal
from harness.wine import PATIENCE, Wine, windows_path
from ws2lib.fetch import DebianSource, unpacked_source

from .javascript import exchange

SOURCE = DebianSource("putty", "0.78", "putty_0.78.orig.tar.gz",
                      "274e01bcac6bd155dfd647b2f18f791b4b17ff313753aa919fcae2e32d34614f")

SCRIPTS = Path(__file__).parents[1] / "scripts"

CASES = [
    "raw_echo_of_binary_data",
    "raw_over_ipv6",
    "raw_server_speaks_and_closes",
    "raw_to_closed_port_is_refused",
    "ssh_command_and_exit_code",
    "ssh_with_public_key",
    "ssh_pipes_binary_data",
    "ssh_local_forwarding_accepts_many",
    "ssh_remote_forwarding",
    "sftp_there_and_back",
]


def prepare(wine: Wine) -> dict:
    source = unpacked_source(SOURCE)
    windows = built_with_cmake("putty", source, [], {"plink": "plink.exe", "psftp": "psftp.exe"}, wine.arch)
    native = built_with_cmake("putty-native", source, ["-DPUTTY_GTK_VERSION=NONE"],
                              {"uppity": "uppity", "puttygen": "puttygen"}, None)
    suite = _Suite(wine, windows, native)
    return {name: getattr(suite, name) for name in CASES}


class _Suite:
    def __init__(self, wine: Wine, windows: Path, native: Path):
        self.wine = wine
        self.plink = windows / "plink.exe"
        self.psftp = windows / "psftp.exe"
        self.uppity = native / "uppity"
        self.puttygen = native / "puttygen"
        # Their own settings, which are nobody's.
        self.native_env = dict(os.environ, PUTTYDIR=str(wine.scratch / "putty"))
        self.host_key = self._new_key("host")
        self.user_key = self._new_key("user")
        self.fingerprint = self._puttygen("-l", self.host_key).split()[2]

    def _puttygen(self, *args) -> str:
        return subprocess.run([self.puttygen, *args], stdin=subprocess.DEVNULL, check=True,
                              capture_output=True, text=True, env=self.native_env).stdout

    def _new_key(self, name: str) -> Path:
        key = self.wine.scratch / f"{name}.ppk"
        self._puttygen("-q", "-t", "ed25519", "--new-passphrase", "/dev/null", "-o", key)
        return key

    @contextlib.contextmanager
    def ssh_server(self):
        """Serves on loopback with throw-away keys; gives the port."""
        public = self.wine.scratch / "user.pub"
        public.write_text(self._puttygen("-L", self.user_key))
        port = peers.closed_port()
        server = subprocess.Popen(
            [self.uppity, "--listen", str(port), "--hostkey", self.host_key, "--userkey", public,
             "--sessiondir", self.wine.scratch, "--deny-auth", "kbdint"],
            # The server runs commands with the shell of its environment.
            env=dict(self.native_env, SHELL=str(SCRIPTS / "server_shell")),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_listening(port)
            yield port
        finally:
            server.kill()
            server.wait()

    def _ssh_options(self, port: int) -> list[str]:
        return ["-ssh", "-batch", "-P", str(port), "-hostkey", self.fingerprint]

    def _ssh(self, port: int, *args) -> list[str]:
        return [*self._ssh_options(port), "-pw", "weasel", *args]

    def raw_echo_of_binary_data(self):
        data = payload("raw", 1_500_001)
        with peers.TcpServer(peers.echo) as server:
            run = self.wine.run(self.plink, "-raw", "-batch", "-P", server.port, "127.0.0.1", stdin=data)
        expect_equal(run.output, data, "the echo")

    def raw_over_ipv6(self):
        data = payload("raw6", 200_000)
        with peers.TcpServer(peers.echo, "::1") as server:
            run = self.wine.run(self.plink, "-raw", "-batch", "-P", server.port, "::1", stdin=data)
        expect_equal(run.output, data, "the echo")

    def raw_server_speaks_and_closes(self):
        data = payload("speech", 3_000_000)
        with peers.TcpServer(lambda connection: connection.sendall(data)) as server:
            run = self.wine.run(self.plink, "-raw", "-batch", "-P", server.port, "127.0.0.1")
        expect_equal(run.output, data, "what the server said")

    def raw_to_closed_port_is_refused(self):
        program = self.wine.start(self.plink, "-raw", "-batch", "-P", peers.closed_port(), "127.0.0.1")
        program.finish(exit_code=1)
        expect("Connection refused" in program.stderr(), f"the message is {program.stderr()!r}")

    def ssh_command_and_exit_code(self):
        with self.ssh_server() as port:
            program = self.wine.start(self.plink, *self._ssh(port), "someone@127.0.0.1",
                                      "echo one; echo two; exit 3")
            program.finish(exit_code=3)
        expect_equal(program.output, b"one\ntwo\n", "standard output")

    def ssh_with_public_key(self):
        with self.ssh_server() as port:
            run = self.wine.run(self.plink, *self._ssh_options(port), "-i", windows_path(self.user_key),
                                "someone@127.0.0.1", "echo welcome")
        expect_equal(run.output, b"welcome\n", "standard output")

    def ssh_pipes_binary_data(self):
        data = payload("pipe", 700_003)
        cat = shlex.join([sys.executable, str(SCRIPTS / "eager_cat.py")])
        with self.ssh_server() as port:
            run = self.wine.run(self.plink, *self._ssh(port), "someone@127.0.0.1", cat, stdin=data)
        expect_equal(run.output, data, "what cat sent back")

    def ssh_local_forwarding_accepts_many(self):
        with self.ssh_server() as port, peers.TcpServer(peers.echo) as server:
            entrance = peers.closed_port()
            program = self.wine.start(self.plink, *self._ssh(port), "-N", "-L",
                                      f"127.0.0.1:{entrance}:127.0.0.1:{server.port}", "someone@127.0.0.1")
            _wait_until_listening(entrance)
            _visit_in_parallel(entrance, 12, 120_000)
            program.stop()

    def ssh_remote_forwarding(self):
        with self.ssh_server() as port, peers.TcpServer(peers.echo) as server:
            entrance = peers.closed_port()
            program = self.wine.start(self.plink, *self._ssh(port), "-N", "-R",
                                      f"127.0.0.1:{entrance}:127.0.0.1:{server.port}", "someone@127.0.0.1")
            _wait_until_listening(entrance)
            _visit_in_parallel(entrance, 12, 120_000)
            program.stop()

    def sftp_there_and_back(self):
        data = payload("file", 900_001)
        folder = self.wine.scratch / "sftp"
        folder.mkdir()
        (folder / "here.bin").write_bytes(data)
        (folder / "batch").write_text(
            f"put here.bin {folder}/there.bin\nget {folder}/there.bin back.bin\nquit\n")
        with self.ssh_server() as port:
            self.wine.run(self.psftp, "-batch", "-P", port, "-hostkey", self.fingerprint,
                          "-pw", "weasel", "-b", "batch", "someone@127.0.0.1", cwd=folder)
        expect_equal((folder / "there.bin").read_bytes(), data, "the uploaded file")
        expect_equal((folder / "back.bin").read_bytes(), data, "the downloaded file")


def _visit_in_parallel(port: int, visitors: int, length: int) -> None:
    """The visitors end their side when they have heard from the other end. Windows tells plink of such an
    end although data before it is unread, and plink then reads the data and drops it if the server has
    not yet opened the channel."""
    def visit(number: int) -> None:
        data = payload(f"visitor{number}", length)
        expect_equal(exchange("127.0.0.1", port, data, end_after=length), data, f"echo {number}")

    with concurrent.futures.ThreadPoolExecutor(visitors) as pool:
        list(pool.map(visit, range(visitors)))


def _wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            expect(time.monotonic() < deadline, f"nothing listens on port {port}")
            time.sleep(0.05)
