"""Deno: Rust, whose event loop (mio) sends poll requests straight to the AFD device, and WSASend and
recv on non-blocking sockets."""

from harness.build import bcryptprimitives_beside
from harness.fetch import NpmPackage, unpacked_npm
from harness.wine import Wine

from .javascript import COMMON, Runtime, cases_of, claim_windows_10

PACKAGE = NpmPackage(
    "@deno/win32-x64", "2.9.5",
    "LkcERsH0olOgevg9L9eootSr1U8ydyfnX1bS3mFqU+lGBeTYtlec5b/QF473WUOGVgPlWECrkxi4As5kEaFOzg==")

CASES = COMMON


def prepare(wine: Wine) -> dict:
    exe = unpacked_npm(PACKAGE) / "deno.exe"
    bcryptprimitives_beside(exe)
    claim_windows_10(wine, exe.name)
    return cases_of(Runtime(wine, exe, "run", "-A", "--no-config"), CASES)
