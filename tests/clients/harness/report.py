"""The outcome of cases: TAP on standard output, details of a failure as comments."""

import sys
import traceback

from ws2lib.fetch import Unavailable


class CaseFailed(Exception):
    """A case's finding, in a sentence."""


def expect(condition: bool, message: str) -> None:
    if not condition:
        raise CaseFailed(message)


def expect_equal(actual, expected, what: str) -> None:
    if actual != expected:
        raise CaseFailed(f"{what}: expected {shorten(expected)}, got {shorten(actual)}")


def shorten(value, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(value)} long)"


class Tap:
    """Numbers the cases and keeps count."""

    def __init__(self, planned: int):
        self.number = 0
        self.failed = 0
        self.skipped = 0
        self.planned = planned
        self._print(f"1..{planned}")

    def _print(self, line: str) -> None:
        print(line, flush=True)

    def comment(self, text: str) -> None:
        for line in text.rstrip().splitlines():
            self._print(f"# {line}")

    def ok(self, name: str) -> None:
        self.number += 1
        self._print(f"ok {self.number} - {name}")

    def skip(self, name: str, reason: str) -> None:
        self.number += 1
        self.skipped += 1
        self._print(f"ok {self.number} - {name} # SKIP {reason.splitlines()[0]}")

    def not_ok(self, name: str, details: str) -> None:
        self.number += 1
        self.failed += 1
        self._print(f"not ok {self.number} - {name}")
        self.comment(details)

    def run(self, name: str, case, details=lambda: "") -> None:
        """Runs `case`; `details` says more about a failure (what the program wrote)."""
        try:
            case()
        except Unavailable as reason:
            self.skip(name, str(reason))
        except CaseFailed as failure:
            self.not_ok(name, f"{failure}\n{details()}")
        except Exception:
            self.not_ok(name, traceback.format_exc() + details())
        else:
            self.ok(name)

    def closing_line(self) -> str:
        passed = self.number - self.failed - self.skipped
        return f"{passed} passed, {self.failed} failed, {self.skipped} skipped"


def note(text: str) -> None:
    """Progress, on standard error: not part of the result."""
    print(text, file=sys.stderr, flush=True)
