"""wget, cross-built from Debian's source: gnulib's sockets, whose select waits with WSAEventSelect, whose
close calls closesocket and CloseHandle of the same value, and whose reads of sockets are ReadFile."""

import time

from harness import peers
from harness.build import built_with_configure
from harness.payload import payload
from harness.report import CaseFailed, expect, expect_equal
from harness.wine import Wine, windows_path
from ws2lib.fetch import DebianSource, Unavailable, unpacked_source

SOURCE = DebianSource("wget", "1.21.3", "wget_1.21.3.orig.tar.gz",
                      "5726bb8bc5ca0f6dc7110f6416e4bb7019e2d2ff5bf93d1ca2ffcc6656f220e5")

# Nothing is taken from the machine it is built on.
_OPTIONS = ["--without-ssl", "--without-zlib", "--without-libpsl", "--without-libuuid", "--without-metalink",
            "--without-cares", "--disable-iri", "--disable-nls", "--disable-ntlm", "--disable-pcre", "--disable-pcre2",
            "PKG_CONFIG=false", "LDFLAGS=-static", "LIBS=-lbcrypt"]

CASES = [
    "downloads_and_follows_a_redirect",
    "downloads_many_over_one_connection",
    "posts_a_file",
    "a_slow_server_is_waited_for",
    "a_silent_server_is_given_up",
    "closed_port_is_refused",
    "resolves_localhost",
]


def prepare(wine: Wine) -> dict:
    folder = built_with_configure("wget", unpacked_source(SOURCE), _OPTIONS, ["src/wget.exe"], wine.arch)
    suite = _Suite(wine, folder / "wget.exe")
    return {name: getattr(suite, name) for name in CASES}


class _Suite:
    def __init__(self, wine: Wine, exe):
        self.wine = wine
        self.exe = exe

    def _arguments(self, *args) -> tuple:
        return "--no-config", "--no-proxy", "--no-verbose", "--tries=1", *args

    def _wget(self, *args) -> None:
        """wget takes an event that is set once too often for the end of its patience."""
        program = self.wine.start(self.exe, *self._arguments(*args))
        try:
            program.finish()
        except CaseFailed:
            if not program.has_loaded("ntke"):
                raise Unavailable("Wine's server sets the event of a selection twice") from None
            raise

    def downloads_and_follows_a_redirect(self):
        file = self.wine.scratch / "moved"
        with peers.HttpServer() as server:
            self._wget("-O", windows_path(file), f"http://127.0.0.1:{server.port}/redirect/body/moved/2000001")
        expect_equal(file.read_bytes(), payload("moved", 2_000_001), "the body")

    def downloads_many_over_one_connection(self):
        folder = self.wine.scratch / "many"
        with peers.HttpServer() as server:
            self._wget("-x", "-nH", "-P", windows_path(folder),
                       *(f"http://127.0.0.1:{server.port}/body/part{number}/{number * 5000}" for number in range(40)))
        for number in range(40):
            expect_equal((folder / "body" / f"part{number}" / str(number * 5000)).read_bytes(),
                         payload(f"part{number}", number * 5000), f"file {number}")

    def posts_a_file(self):
        data = payload("post", 1_200_000)
        sent, answer = self.wine.scratch / "post.bin", self.wine.scratch / "answer.bin"
        sent.write_bytes(data)
        with peers.HttpServer() as server:
            self._wget(f"--post-file={windows_path(sent)}", "-O", windows_path(answer),
                       f"http://127.0.0.1:{server.port}/echo")
        expect_equal(answer.read_bytes(), data, "the echo")

    def a_slow_server_is_waited_for(self):
        """Each piece ends a select of its own."""
        data, file = payload("slow", 3000), self.wine.scratch / "slow"

        def talk(connection):
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3000\r\n\r\n")
            for at in range(0, len(data), 100):
                time.sleep(0.01)
                connection.sendall(data[at:at + 100])

        with peers.TcpServer(talk) as server:
            self._wget("-O", windows_path(file), f"http://127.0.0.1:{server.port}/")
        expect_equal(file.read_bytes(), data, "the body")

    def a_silent_server_is_given_up(self):
        with peers.TcpServer(lambda connection: connection.recv(10_000) and connection.recv(1)) as server:
            program = self.wine.start(self.exe, *self._arguments("--timeout=1", f"http://127.0.0.1:{server.port}/"))
            program.finish(exit_code=4)

    def closed_port_is_refused(self):
        program = self.wine.start(self.exe, *self._arguments(f"http://127.0.0.1:{peers.closed_port()}/"))
        program.finish(exit_code=4)
        expect("failed: " in program.stderr(), f"the message is {program.stderr()!r}")

    def resolves_localhost(self):
        file = self.wine.scratch / "named"
        with peers.HttpServer() as server:
            self._wget("-O", windows_path(file), f"http://localhost:{server.port}/body/named/70000")
        expect_equal(file.read_bytes(), payload("named", 70_000), "the body")
