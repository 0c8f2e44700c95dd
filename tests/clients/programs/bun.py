"""Bun: its own sockets over libuv's poll handles, which send poll requests straight to the AFD
device."""

from harness.build import bcryptprimitives_beside
from harness.wine import Wine
from ws2lib.fetch import NpmPackage, unpacked_npm

from .javascript import COMMON, Runtime, cases_of, claim_windows_10

PACKAGE = NpmPackage(
    "@oven/bun-windows-x64-baseline", "1.4.5",
    "/U3Dc74uGqE6EUqef7mPtg9KwJs7iJH4JHRMfIZIn18MrJh6Xz4gVvWDXRvzCL2j8wPlTnJVyrO4n7Qq4uM7TQ==")

# Over Wine's builtin DLL Bun takes a refused connection for connected and a reset for an orderly end.
_NOT_WITH_BUN = {"connection_to_closed_port_is_refused", "reset_follows_the_data"}

CASES = [name for name in COMMON if name not in _NOT_WITH_BUN]


def prepare(wine: Wine) -> dict:
    exe = unpacked_npm(PACKAGE) / "bin" / "bun.exe"
    bcryptprimitives_beside(exe)
    claim_windows_10(wine, exe.name)
    return cases_of(Runtime(wine, exe), CASES)
