"""curl, cross-built from Debian's source: its multi interface waits with WSAEventSelect and
WSAWaitForMultipleEvents, its telnet client with event selection and WSAEnumNetworkEvents."""

from harness import peers
from harness.build import built_with_cmake
from harness.payload import payload
from harness.report import expect, expect_equal
from harness.wine import Wine, windows_path
from ws2lib.fetch import DebianSource, unpacked_source

SOURCE = DebianSource("curl", "7.88.1", "curl_7.88.1.orig.tar.gz",
                      "cdb38b72e36bc5d33d5b8810f8018ece1baa29a8f215b4495e495ded82bbf3c7")

_OPTIONS = [
    "-DBUILD_SHARED_LIBS=OFF", "-DBUILD_TESTING=OFF", "-DENABLE_MANUAL=OFF", "-DCURL_ENABLE_SSL=OFF",
    "-DCURL_USE_LIBSSH2=OFF", "-DCURL_USE_LIBPSL=OFF", "-DUSE_LIBIDN2=OFF", "-DCURL_ZLIB=OFF",
    "-DCURL_DISABLE_LDAP=ON",
]

CASES = [
    "downloads_and_follows_a_redirect",
    "downloads_in_parallel",
    "uploads_a_file",
    "posts_with_expect_continue",
    "telnet_carries_text_both_ways",
    "closed_port_is_refused",
    "resolves_localhost",
]


def prepare(wine: Wine) -> dict:
    folder = built_with_cmake("curl", unpacked_source(SOURCE), _OPTIONS, {"curl": "src/curl.exe"}, wine.arch)
    suite = _Suite(wine, folder / "curl.exe")
    return {name: getattr(suite, name) for name in CASES}


class _Suite:
    def __init__(self, wine: Wine, exe):
        self.wine = wine
        self.exe = exe

    def _curl(self, *args, **more):
        return self.wine.run(self.exe, "--disable", "--no-progress-meter", "--noproxy", "*", *args, **more)

    def downloads_and_follows_a_redirect(self):
        with peers.HttpServer() as server:
            run = self._curl("-L", f"http://127.0.0.1:{server.port}/redirect/body/moved/2000001")
        expect_equal(run.output, payload("moved", 2_000_001), "the body")

    def downloads_in_parallel(self):
        folder = self.wine.scratch / "parallel"
        folder.mkdir()
        with peers.HttpServer() as server:
            self._curl("--parallel", "--parallel-max", "12", "-o", windows_path(folder / "#1.bin"),
                       f"http://127.0.0.1:{server.port}/body/part[1-40]/150000")
        for number in range(1, 41):
            expect_equal((folder / f"{number}.bin").read_bytes(), payload(f"part{number}", 150_000),
                         f"file {number}")

    def uploads_a_file(self):
        data = payload("upload", 3_000_001)
        file = self.wine.scratch / "upload.bin"
        file.write_bytes(data)
        with peers.HttpServer() as server:
            run = self._curl("-T", windows_path(file), f"http://127.0.0.1:{server.port}/target")
            expect_equal(server.uploads.get("/target"), data, "what the server got")
        expect_equal(run.output, str(len(data)).encode(), "the answer")

    def posts_with_expect_continue(self):
        data = payload("post", 1_200_000)
        with peers.HttpServer() as server:
            run = self._curl("--data-binary", "@-", "-H", "Expect: 100-continue",
                             f"http://127.0.0.1:{server.port}/echo", stdin=data)
        expect_equal(run.output, data, "the echo")

    def telnet_carries_text_both_ways(self):
        heard = []

        def talk(connection):
            connection.sendall(b"greeting\n")
            heard.append(connection.recv(100))
            connection.sendall(b"farewell\n")

        with peers.TcpServer(talk) as server:
            run = self._curl(f"telnet://127.0.0.1:{server.port}", stdin=b"question\n")
        expect_equal(heard, [b"question\n"], "what the server heard")
        expect_equal(run.output, b"greeting\nfarewell\n", "what curl printed")

    def closed_port_is_refused(self):
        program = self.wine.start(self.exe, "--disable", "--noproxy", "*", "-sS",
                                  f"http://127.0.0.1:{peers.closed_port()}/")
        program.finish(exit_code=7)
        expect("onnect" in program.stderr(), f"the message is {program.stderr()!r}")

    def resolves_localhost(self):
        with peers.HttpServer() as server:
            run = self._curl(f"http://localhost:{server.port}/body/named/70000")
        expect_equal(run.output, payload("named", 70_000), "the body")
