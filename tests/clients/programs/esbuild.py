"""esbuild: Go, whose runtime drives overlapped WSARecv, WSASend and AcceptEx on a completion port."""

import concurrent.futures
import http.client
import subprocess

from harness.payload import payload
from harness.report import expect, expect_equal
from harness.wine import Wine, windows_path
from ws2lib.fetch import NpmPackage, unpacked_npm

PACKAGES = {"x86_64": NpmPackage(
    "@esbuild/win32-x64", "0.21.5",
    "tQd/1efJuzPC6rCFwEvLtci/xNFcTZknmXs98FYDfGE4wP9ClFV98nyKrzJKVPMhdDnjzLhdUyMX4PsQAPjwIw=="),
            "i386": NpmPackage(
    "@esbuild/win32-ia32", "0.21.5",
    "SWXFF1CL2RVNMaVs+BBClwtfZSvDgtL//G/smwAc5oVK/UPu2Gu9tIaRgFmYFFKrmg3SyAjSrElf0TiJ1v8fYA==")}

CASES = ["bundle_is_served", "files_are_served_in_parallel", "ipv6_server"]

_BUNDLE = b"""(() => {
  // part.js
  var answer = 42;

  // main.js
  console.log(answer);
})();
"""


class _Server:
    """esbuild serving a folder; it ends when its standard input does."""

    def __init__(self, wine: Wine, exe, host: str, folder):
        self.host = host.strip("[]")
        self.program = wine.start(
            exe, "main.js", "--bundle", "--outdir=out", f"--serve={host}:0", f"--servedir={windows_path(folder)}",
            stdin=subprocess.PIPE, cwd=folder)
        self.port = int(self.program.wait_for_stderr(r"http://(?:[0-9.]+|\[::1\]):([0-9]+)/")[1])

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            expect_equal(response.status, 200, f"status of {path}")
            return response.read()
        finally:
            connection.close()

    def end(self) -> None:
        self.program.stdin.close()
        self.program.finish()


def prepare(wine: Wine) -> dict:
    exe = unpacked_npm(PACKAGES[wine.arch]) / "esbuild.exe"
    folder = wine.scratch / "site"
    folder.mkdir()
    (folder / "main.js").write_text('import { answer } from "./part.js";\nconsole.log(answer);\n')
    (folder / "part.js").write_text("export const answer = 42;\n")
    sizes = {f"data{i}.bin": size for i, size in enumerate([1, 4095, 65536, 1_000_003, 3_000_000])}
    for name, size in sizes.items():
        (folder / name).write_bytes(payload(name, size))

    def bundle_is_served():
        server = _Server(wine, exe, "127.0.0.1", folder)
        for _ in range(3):
            expect_equal(server.get("/out/main.js"), _BUNDLE, "the bundle")
        server.end()

    def files_are_served_in_parallel():
        server = _Server(wine, exe, "127.0.0.1", folder)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            bodies = list(pool.map(lambda i: server.get(f"/data{i % 5}.bin"), range(40)))
        for number, body in enumerate(bodies):
            name = f"data{number % 5}.bin"
            expect(body == payload(name, sizes[name]), f"request {number} brought a wrong {name}")
        server.end()

    def ipv6_server():
        server = _Server(wine, exe, "[::1]", folder)
        expect_equal(server.get("/out/main.js"), _BUNDLE, "the bundle")
        server.end()

    functions = (bundle_is_served, files_are_served_in_parallel, ipv6_server)
    return {function.__name__: function for function in functions}
