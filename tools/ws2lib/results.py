"""What the conformance suite found, case by case and side by side: kept in build/results by every run of
a side, read by `ws2 report`."""

import datetime
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from . import paths

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
FORM = 1  # of the files; raised when they change


@dataclass
class Outcome:
    """How a case ended on a side, whatever was expected of it."""
    result: str    # PASSED, FAILED or SKIPPED
    why: str = ""  # how it failed, or why it was skipped


@dataclass
class Side:
    """The suite on one DLL, kernel, Wine and architecture."""
    dll: str                    # "builtin", "host" or "ntke"
    wine: str                   # "8.0"
    arch: str
    emulated: bool              # the processor is, by another program
    built: str                  # what was run, see fingerprint()
    date: str
    cases: dict[str, Outcome]   # "group.case", in the order of the suite

    @property
    def name(self) -> str:
        return f"{self.dll}-{self.wine}-{self.arch}"


def begin(dll: str, wine: str, arch: str, emulated: bool) -> Side:
    """A side without a case yet."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return Side(dll, wine, arch, emulated, fingerprint(dll, arch), now, {})


def fingerprint(dll: str, arch: str) -> str:
    """Changes with any file that decides what the suite finds on a side."""
    files = [paths.test_program(arch, "conformance")]
    if dll != "builtin":
        files.append(paths.dll(arch))
    if dll == "ntke":
        files += paths.ntke_halves(arch)
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest() if file.is_file() else b"none")
    return digest.hexdigest()


def _file(name: str) -> Path:
    return paths.BUILD / "results" / f"{name}.json"


def save(side: Side) -> None:
    path = _file(side.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps({"form": FORM, **asdict(side)}, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def load(dll: str, wine: str, arch: str) -> Side | None:
    """The results of a side, None if there are none that can be read. They may be those of an earlier
    build: see is_current."""
    try:
        fields = json.loads(_file(f"{dll}-{wine}-{arch}").read_text(encoding="utf-8"))
        if fields.pop("form") != FORM:
            return None
        fields["cases"] = {name: Outcome(**outcome) for name, outcome in fields["cases"].items()}
        return Side(**fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_current(side: Side) -> bool:
    """Are they of what is built now?"""
    return side.built == fingerprint(side.dll, side.arch)
