"""The cases Node.js, Deno and Bun have in common: scripts/suite.cjs does the networking inside the
program, this side has the other end and computes what must come out."""

import concurrent.futures
import http.client
import json
import socket
import threading
from pathlib import Path

from harness import peers
from harness.payload import digest, payload
from harness.report import expect, expect_equal
from harness.wine import Wine, windows_path

SUITE = Path(__file__).parents[1] / "scripts" / "suite.cjs"


class Runtime:
    """One JavaScript program: how its command line leads to the suite."""

    def __init__(self, wine: Wine, exe: Path, *options: str):
        self.wine = wine
        self.exe = exe
        self.options = options

    def start(self, case: str, **arguments):
        # The environment gives the runtimes nothing to find outside the scratch folder.
        return self.wine.start(self.exe, *self.options, windows_path(SUITE), case,
                               json.dumps(arguments), env={"NO_COLOR": "1"})

    def result(self, case: str, **arguments):
        program = self.start(case, **arguments)
        result = json.loads(program.wait_for("RESULT "))
        program.finish()
        return result

    # The cases. The name of a method is the name of its case.

    def http_server_answers_linux_clients(self):
        program = self.start("http_server")
        port = int(program.wait_for("PORT "))

        def get(number: int) -> None:
            length = [0, 1, 1459, 65536, 300001][number % 5]
            body = _http(port, "GET", f"/body/get{number}/{length}")
            expect_equal(body, payload(f"get{number}", length), f"body {number}")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(get, range(30)))
        upload = payload("upload", 2_000_003)
        expect_equal(_http(port, "POST", "/echo", upload), upload, "the echoed upload")
        expect_equal(_http(port, "GET", "/stop"), b"bye", "the answer to /stop")
        expect_equal(json.loads(program.wait_for("RESULT ")), 32, "requests the server saw")
        program.finish()

    def http_client_fetches_from_linux_server(self):
        bodies = [(f"fetch{i}", [0, 17, 4096, 200_000][i % 4]) for i in range(40)]
        with peers.HttpServer() as server:
            result = self.result("http_client", port=server.port, bodies=bodies,
                                 upload=["posted", 1_500_000])
        expect_equal(result["digests"], [digest(payload(*body)) for body in bodies], "bodies")
        expect_equal(result["echoed"], digest(payload("posted", 1_500_000)), "the echoed upload")

    def fifty_connections_inside_one_process(self):
        digests = self.result("tcp_parallel", connections=50, length=200_000)
        expect_equal(digests, [digest(payload(f"parallel{i}", 200_000)) for i in range(50)], "echoes")

    def fifty_connections_to_linux_server(self):
        with peers.TcpServer(peers.echo) as server:
            digests = self.result("tcp_client", port=server.port, host="127.0.0.1", connections=50,
                                  length=150_000)
        expect_equal(digests, [digest(payload(f"client{i}", 150_000)) for i in range(50)], "echoes")

    def fifty_linux_clients(self):
        self._serve("127.0.0.1", 50, 100_000)

    def ipv6_server_answers_linux_clients(self):
        self._serve("::1", 5, 50_000)

    def ipv6_client(self):
        with peers.TcpServer(peers.echo, "::1") as server:
            digests = self.result("tcp_client", port=server.port, host="::1", connections=5,
                                  length=50_000)
        expect_equal(digests, [digest(payload(f"client{i}", 50_000)) for i in range(5)], "echoes")

    def _serve(self, host: str, connections: int, length: int) -> None:
        program = self.start("tcp_server", host=host, connections=connections)
        port = int(program.wait_for("PORT "))

        def visit(number: int) -> None:
            data = payload(f"visit{number}", length)
            expect_equal(exchange(host, port, data), data, f"echo {number}")

        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            list(pool.map(visit, range(connections)))
        expect_equal(json.loads(program.wait_for("RESULT ")), connections, "connections served")
        program.finish()

    def slow_reader_loses_nothing(self):
        data = payload("stream", 16_000_000)
        with peers.TcpServer(lambda connection: connection.sendall(data)) as server:
            result = self.result("slow_reader", port=server.port, length=len(data))
        expect_equal(result, {"total": len(data), "digest": digest(data)}, "what was read")

    def udp_datagrams_come_back(self):
        sizes = [0 if i == 3 else 1 + i * 37 % 1400 for i in range(100)] + [9000, 40_000, 65_000]
        with peers.UdpEcho() as server:
            result = self.result("udp", port=server.port, sizes=sizes)
            port = server.port
        expect_equal(result, [[digest(payload(f"datagram{i}", size)), port]
                              for i, size in enumerate(sizes)], "datagrams")

    def lookup_finds_localhost(self):
        addresses = {entry["address"] for entry in self.result("lookup", name="localhost")}
        expect("127.0.0.1" in addresses, f"localhost is {addresses}")
        expect(addresses <= {"127.0.0.1", "::1"}, f"localhost is {addresses}")

    def own_resolver_asks_linux_server(self):
        table = {("host.example", 1): [bytes([192, 0, 2, 7]), bytes([192, 0, 2, 8])],
                 ("host.example", 28): [socket.inet_pton(socket.AF_INET6, "2001:db8::7")],
                 ("host.example", 16): [bytes([5]) + b"hello"]}
        with peers.DnsServer(table) as server:
            result = self.result("resolve", port=server.port, name="host.example",
                                 missing="missing.example")
        expect_equal(sorted(result["a"]), ["192.0.2.7", "192.0.2.8"], "A")
        expect_equal(result["aaaa"], ["2001:db8::7"], "AAAA")
        expect_equal(result["txt"], [["hello"]], "TXT")
        expect_equal(result["failure"], "ENOTFOUND", "a name that does not exist")

    def connection_to_closed_port_is_refused(self):
        expect_equal(self.result("refused", port=peers.closed_port()), "ECONNREFUSED", "error code")

    def reset_follows_the_data(self):
        with peers.TcpServer(peers.greet_and_reset) as server:
            result = self.result("reset", port=server.port)
        expect_equal(result, {"greeting": "0123456789", "code": "ECONNRESET"}, "what the client saw")

    def two_hundred_short_connections(self):
        expect_equal(self.result("churn", rounds=200), 200, "good rounds")

    def child_serves_a_passed_socket(self):
        result = self.result("handle_passing", length=300_000)
        expect_equal(result, {"digest": digest(payload("child", 300_000)), "exit": 7}, "result")

    def child_output_comes_through_pipes(self):
        text = "".join(f"line {i}\n" for i in range(2000))
        expect_equal(self.result("child_output", lines=2000),
                     {"exit": 0, "digest": digest(text.encode())}, "the child")


COMMON = [
    "http_server_answers_linux_clients",
    "http_client_fetches_from_linux_server",
    "fifty_connections_inside_one_process",
    "fifty_connections_to_linux_server",
    "fifty_linux_clients",
    "ipv6_server_answers_linux_clients",
    "ipv6_client",
    "slow_reader_loses_nothing",
    "udp_datagrams_come_back",
    "lookup_finds_localhost",
    "own_resolver_asks_linux_server",
    "connection_to_closed_port_is_refused",
    "reset_follows_the_data",
    "two_hundred_short_connections",
]


def cases_of(runtime: Runtime, names: list[str]) -> dict:
    return {name: getattr(runtime, name) for name in names}


def claim_windows_10(wine: Wine, exe: str) -> None:
    """The runtimes refuse to start on the Windows 7 that Wine 8.0 claims to be."""
    wine.reg_add(rf"HKCU\Software\Wine\AppDefaults\{exe}", "Version", "win10")


def exchange(host: str, port: int, data: bytes, end_after: int = 0) -> bytes:
    """Sends `data`, ends that side when `end_after` bytes have come back, and returns all that comes
    back; reads while it writes."""
    with socket.create_connection((host, port)) as connection, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        may_end = threading.Event()

        def send():
            connection.sendall(data)
            may_end.wait()
            connection.shutdown(socket.SHUT_WR)
        sending = pool.submit(send)
        echoed = b""
        try:
            while True:
                if len(echoed) >= end_after:
                    may_end.set()
                if not (part := connection.recv(65536)):
                    break
                echoed += part
        finally:
            may_end.set()
        sending.result()
        return echoed


def _http(port: int, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        expect_equal(response.status, 200, f"status of {path}")
        return response.read()
    finally:
        connection.close()
