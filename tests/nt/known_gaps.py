#!/usr/bin/env python3
"""known_gaps.py LIST PROGRAM GROUP: runs a group of the NT-level suite and marks the cases LIST names as
known gaps in its TAP, so that one that fails is no failure, and one that passes is."""

import re
import subprocess
import sys
from pathlib import Path


def read_gaps(path: Path) -> dict[str, str]:
    gaps = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, cause = line.partition("#")
        if name.strip():
            gaps[name.strip()] = cause.strip()
    return gaps


def main() -> int:
    gaps_file, program, group = sys.argv[1:]
    gaps = read_gaps(Path(gaps_file))
    has_failed = False
    with subprocess.Popen([program, group], stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            line = line.rstrip("\n")
            if match := re.match(r"(not )?ok \d+ - (\S+)$", line):
                cause = gaps.get(f"{group}.{match[2]}")
                has_failed |= bool(match[1]) and cause is None
                if cause is not None:
                    line += f" # TODO {cause}"
            elif line.startswith("Bail out!"):
                has_failed = True
            print(line, flush=True)
    # A failed group ends with 1, whoever failed in it; anything else is a crash.
    return run.returncode if has_failed or run.returncode != 1 else 0


if __name__ == "__main__":
    sys.exit(main())
