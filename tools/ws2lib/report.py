"""Counts what passed, failed and was skipped, and prints it: a line per suite while it runs, every
failure with its details, one closing line."""

import sys
import threading
import time


class Report:
    """Several threads may tell it of what they have run."""

    def __init__(self, quiet: bool = False):
        self._quiet = quiet
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures: list[tuple[str, str, list[str]]] = []
        self.notes: list[str] = []
        self._suite = ""
        self._start = time.monotonic()
        self._before = (0, 0, 0)
        self._lock = threading.Lock()

    def begin(self, suite: str, place: str = "") -> None:
        self._suite = suite
        self._start = time.monotonic()
        self._before = (self.passed, self.failed, self.skipped)
        _print(f"{suite} ..." + (f" ({place})" if place else ""))

    def end(self) -> None:
        passed, failed, skipped = (now - then for now, then in
                                   zip((self.passed, self.failed, self.skipped), self._before))
        _print(f"{self._suite}: {passed} passed, {failed} failed, {skipped} skipped, "
               f"in {time.monotonic() - self._start:.0f} s")

    def ok(self) -> None:
        with self._lock:
            self.passed += 1

    def fail(self, name: str, why: str, details: list[str] | None = None) -> None:
        with self._lock:
            self.failed += 1
            self.failures.append((f"{self._suite}: {name}", why, details or []))
            self._print(f"  FAILED {name}: {why}")
            for line in (details or [])[-12:]:
                self._print(f"    {line}")

    def skip(self, name: str, why: str) -> None:
        """Counts one; the reason is printed only once for many."""
        note = f"{self._suite}: {why}"
        with self._lock:
            self.skipped += 1
            if note not in self.notes:
                self.notes.append(note)
                self._print(f"  skipped {name}: {why}")

    def note(self, text: str) -> None:
        """A line that counts nothing."""
        with self._lock:
            self._print(f"  {text}")

    def gap(self, name: str, cause: str) -> None:
        """A case that is known to fail on this side. Listed in tests/expected with its cause."""
        with self._lock:
            self.skipped += 1
            self.notes.append(f"{self._suite}: known gap {name}: {cause}")

    def close(self) -> int:
        """Prints the end and returns the exit code."""
        gaps = sum(": known gap " in note for note in self.notes)
        if gaps:
            _print(f"\n{gaps} of the skipped are known gaps of a side; tests/expected says why")
        if self.failures:
            _print("\nfailed:")
            for name, why, _ in self.failures:
                _print(f"  {name}: {why}")
        if not self.passed and not self.failed:
            _print("no test was run")
        _print(f"\n{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0

    def _print(self, text: str) -> None:
        if not self._quiet:
            _print(text)


def _print(text: str) -> None:
    print(text, flush=True)
    sys.stdout.flush()
