#!/usr/bin/env python3
"""Runs network programs nobody here wrote under Wine and checks what they do, byte for byte.

The caller's environment (WINEDLLOVERRIDES, WINEDLLPATH) decides which ws2_32.dll they get; every case
also fails when a program loaded another one than --expect-product says. Prints TAP. Programs are
downloaded once into the cache folder (${XDG_CACHE_HOME:-~/.cache}/ws2_32); one that cannot be had is
skipped with the reason.

    run.py --list
    run.py --wine wine --prefix /tmp/prefix --expect-product Wine
    WINEDLLOVERRIDES=ws2_32=n,b run.py --wine wine --prefix /tmp/prefix \\
        --expect-product 'ws2_32 for Wine (from scratch)' --client node --client plink
"""

import argparse
import fnmatch
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]

from harness.report import Tap  # noqa: E402
from harness.wine import Wine  # noqa: E402
from programs import ARCHES_OF, PROGRAMS  # noqa: E402
from ws2lib.fetch import Unavailable  # noqa: E402
from ws2lib.paths import ARCHES  # noqa: E402


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wine", default="wine", help="the wine command")
    parser.add_argument("--prefix", type=Path, help="a prefix of your own for tests; it is written to")
    parser.add_argument("--expect-product", metavar="NAME",
                        help="ProductName of the ws2_32.dll that must be in use; Wine = builtin")
    parser.add_argument("--arch", default="x86_64", choices=ARCHES,
                        help="which programs: those for 64-bit Windows (default), or for 32-bit")
    parser.add_argument("--client", action="append", choices=list(PROGRAMS), metavar="NAME",
                        help="only this program; may be repeated")
    parser.add_argument("--filter", default="*", metavar="GLOB", help="only cases like this")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    chosen = parser.parse_args()
    if not chosen.list and not (chosen.prefix and chosen.expect_product):
        parser.error("--prefix and --expect-product are needed")
    return chosen


def main() -> int:
    chosen = arguments()
    names = [name for name in chosen.client or PROGRAMS if chosen.arch in ARCHES_OF.get(name, ARCHES)]
    plan = {name: [case for case in PROGRAMS[name].CASES
                   if fnmatch.fnmatch(f"{name}.{case}", chosen.filter)
                   or fnmatch.fnmatch(case, chosen.filter)] for name in names}
    if chosen.list:
        for name, cases in plan.items():
            for case in cases:
                print(f"{name}.{case}")
        return 0
    tap = Tap(sum(len(cases) for cases in plan.values()))
    with tempfile.TemporaryDirectory(prefix="ws2-clients-") as scratch:
        for name, cases in plan.items():
            if cases:
                wine = Wine(chosen.wine, chosen.prefix.resolve(), chosen.expect_product, Path(scratch), chosen.arch)
                run_program(tap, wine, name, cases)
                end_program(tap, wine)
    tap.comment(tap.closing_line())
    return 1 if tap.failed else 0


def run_program(tap: Tap, wine: Wine, name: str, cases: list[str]) -> None:
    try:
        functions = PROGRAMS[name].prepare(wine)
    except Unavailable as reason:
        for case in cases:
            tap.skip(f"{name}.{case}", str(reason))
        return
    except Exception as error:
        for case in cases:
            tap.not_ok(f"{name}.{case}", f"{name} could not be prepared: {error}")
        return
    for case in cases:
        tap.run(f"{name}.{case}", functions[case], wine.end_case)
        wine.end_case()


def end_program(tap: Tap, wine: Wine) -> None:
    try:
        wine.end()
    except Exception as error:
        tap.comment(f"could not end what was started: {error}")


if __name__ == "__main__":
    sys.exit(main())
