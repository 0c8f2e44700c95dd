"""Node.js: libuv over I/O completion ports (AcceptEx, ConnectEx, WSARecv, WSASend), AFD poll requests
of its own for c-ares, sockets handed to child processes (WSADuplicateSocketW)."""

from harness.wine import Wine
from ws2lib.fetch import NODES, unpacked_npm

from .javascript import COMMON, Runtime, cases_of, claim_windows_10

CASES = COMMON + ["child_serves_a_passed_socket", "child_output_comes_through_pipes"]


def prepare(wine: Wine) -> dict:
    exe = unpacked_npm(NODES[wine.arch]) / "bin" / "node.exe"
    claim_windows_10(wine, exe.name)
    return cases_of(Runtime(wine, exe), CASES)
