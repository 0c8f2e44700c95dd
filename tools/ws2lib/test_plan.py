"""What `ws2 test` says before it begins: how long it takes, what it installs, and how to have less of it."""

import json
import os

from . import build, matrix, packages, paths
from .ui import say

# A side that was never run here takes about so long on two cores, in minutes; the longest ones.
_MINUTES = {"tools": 4, "stress-ntke": 4, f"builtin-{matrix.VERSION}-x86_64": 4, "native": 3, "builtin": 2, "nt": 2,
            f"nt-{matrix.VERSION}-x86_64": 2}
_OTHERS = 1
_BUILD = 10  # the first one; a later one takes what was changed
_ROOT = 8


def announce(sides: list[str], builds: list[str]) -> None:
    lacking = packages.missing(*_purposes(sides, builds))
    root = needs_root_of_matrix(sides) and not matrix.why_not() and not matrix.exists()
    minutes = sum(_known().get(side, _MINUTES.get(side, _OTHERS) * 60) for side in sides) / 60
    minutes += 0 if paths.dll("x86_64").is_file() else _BUILD
    minutes += _ROOT if root else 0
    if minutes >= 2:
        say(f"{len(sides)} sides, about {minutes:.0f} minutes on two idle cores")
    if lacking and os.geteuid() == 0:
        say(f"it will install: {' '.join(sorted(set(lacking.values())))}")
    if root:
        say(f"it will make a root with Wine {matrix.VERSION} in {matrix.folder()} (1.5 GB, by debootstrap); "
            "--without-matrix leaves that out, with its sides")


def needs_root_of_matrix(sides: list[str]) -> bool:
    return any(f"-{matrix.VERSION}-" in side for side in sides)


def _purposes(sides: list[str], builds: list[str]) -> list[str]:
    found = [name for name in builds if name in paths.ARCHES]
    found += [build.UNIX[name] for name in found]
    if any(name in build.NATIVE for name in builds):
        found.append("native")
    if any(side != "native" for side in sides):
        found.append("wine")
    if "tools" in sides:
        found.append("format")
    if "lint" in sides:
        found.append("lint")
    if "trace" in sides:
        found.append("trace")
    if any(side.startswith("clients") or side == "trace" for side in sides):
        found.append("clients")
    if needs_root_of_matrix(sides) and not matrix.why_not() and not matrix.exists():
        found.append("matrix")
    return found


def remember(side: str, seconds: float) -> None:
    """How long a side took here, for the next time."""
    known = {**_known(), side: round(seconds)}
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(known, indent=1) + "\n")


def _known() -> dict[str, float]:
    try:
        known = json.loads(_place().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _place():
    return paths.BUILD / "durations.json"
