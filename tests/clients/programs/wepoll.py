"""A small server and client (scripts/poller.c) on wepoll, the epoll for Windows that ZeroMQ brings along: poll
requests straight to the AFD device, told by a completion port that several threads wait at."""

import concurrent.futures
from pathlib import Path

from harness import peers
from harness.build import built_with_compiler
from harness.payload import payload
from harness.report import expect_equal
from harness.wine import Wine
from ws2lib.fetch import DebianSource, unpacked_source

from .javascript import exchange

SOURCE = DebianSource("zeromq3", "4.3.4", "zeromq3_4.3.4.orig.tar.gz",
                      "0ff5a531c9ffaf0dfdc7dc78d13d1383088f454896d252934c429b2554d10559", "libzmq")

_PROGRAM = Path(__file__).parents[1] / "scripts" / "poller.c"

CASES = [
    "one_thread_serves_sixty_clients",
    "four_threads_serve_sixty_clients",
    "connections_to_a_linux_server",
    "two_hundred_connections_between_windows_programs",
    "large_transfers_meet_a_full_connection",
]


def prepare(wine: Wine) -> dict:
    source = unpacked_source(SOURCE) / "external" / "wepoll" / "wepoll.c"
    exe = built_with_compiler("poller", [_PROGRAM, source], ["ws2_32"], wine.arch) / "poller.exe"

    def serve_linux_clients(threads: int, count: int, length: int) -> None:
        program = wine.start(exe, "serve", threads, count)
        port = int(program.wait_for("PORT "))

        def visit(number: int) -> None:
            data = payload(f"visit{number}", length)
            expect_equal(exchange("127.0.0.1", port, data), data, f"echo {number}")

        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            list(pool.map(visit, range(count)))
        program.finish()

    def one_thread_serves_sixty_clients():
        serve_linux_clients(1, 60, 100_000)

    def four_threads_serve_sixty_clients():
        serve_linux_clients(4, 60, 100_000)

    def connections_to_a_linux_server():
        with peers.TcpServer(peers.echo) as server:
            wine.run(exe, "connect", 2, server.port, 60, 150_000)

    def two_hundred_connections_between_windows_programs():
        program = wine.start(exe, "serve", 2, 200)
        wine.run(exe, "connect", 2, program.wait_for("PORT "), 200, 30_000)
        program.finish()

    def large_transfers_meet_a_full_connection():
        program = wine.start(exe, "serve", 2, 4)
        wine.run(exe, "connect", 2, program.wait_for("PORT "), 4, 8_000_000)
        program.finish()

    functions = (one_thread_serves_sixty_clients, four_threads_serve_sixty_clients, connections_to_a_linux_server,
                 two_hundred_connections_between_windows_programs, large_transfers_meet_a_full_connection)
    return {function.__name__: function for function in functions}
