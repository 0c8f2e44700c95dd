"""`ws2 report`: the conformance matrix, cases by sides, as Markdown and HTML."""

import fnmatch
from pathlib import Path

from . import build, conformance, matrix, paths, report_pages, results
from .report import Report
from .ui import Failure, say, step
from .wine import Wine

HELP = """\
Writes the conformance matrix: each case of the suite, which asserts what Windows does, on Wine's own DLL
and on ours (without ntke and on ntke), with the machine's Wine and with Wine 10.0 where its root exists. A
summary per group comes first, then every gap with its cause.

Results are kept by each `ws2 test` and taken from there as long as they are of what is built now; sides
without any are run, which takes some minutes each.

examples:
  ws2 report                          run what is missing, write build/report/conformance.{md,html}
  ws2 report --cached                 run nothing: only what is known of this build
  ws2 report --fresh --side 'ntke-*'  run some sides again; the others from what is known
  ws2 report --list                   the sides, and whether their results are known
"""

FILE = "conformance"


def add_arguments(parser) -> None:
    parser.add_argument("--cached", action="store_true", help="run nothing, and build nothing")
    parser.add_argument("--fresh", action="store_true", help="run sides although their results are known")
    parser.add_argument("--side", action="append", metavar="SIDE",
                        help="run this side only; may be repeated, patterns are allowed")
    parser.add_argument("--list", action="store_true", help="print the sides and end")
    parser.add_argument("--output", type=Path, metavar="DIR", default=paths.BUILD / "report",
                        help="write there instead of build/report")


def main(args) -> int:
    if args.cached and args.fresh:
        raise Failure("--cached runs nothing and --fresh runs everything: say one of them")
    sides = _sides()
    chosen = [name for name in sides
              if any(fnmatch.fnmatch(name, pattern) for pattern in args.side or ["*"])]
    if not chosen:
        raise Failure(f"no side is called {' or '.join(args.side)}; there are: {', '.join(sides)}")
    if not (args.cached or args.list):
        build.build(*sorted({arch for _, _, arch in sides.values()}, reverse=True))
    found = {name: side for name, (dll, wine, arch) in sides.items()
             if (side := results.load(dll, wine.version, arch)) and results.is_current(side)}
    if args.list:
        print("\n".join(f"{name:<20} {f'known, {found[name].date}' if name in found else 'not known'}"
                        for name in sides))
        return 0
    for name in chosen if not args.cached else []:
        if args.fresh or name not in found:
            found[name] = _run(name, *sides[name])
    known = [found[name] for name in sides if name in found]
    if not known:
        raise Failure("nothing is known of what is built now; leave --cached out, or run `ws2 test`")
    for name in sides:
        if name not in found:
            say(f"not in the report, since it was not run: {name}")
    _write(args.output, known)
    return 0


def _sides() -> dict[str, tuple]:
    """The sides of this machine, builtin first: name -> DLL, Wine, architecture."""
    own = Wine()
    wines = [own]
    if matrix.why_not() is None and matrix.exists() and own.version != matrix.VERSION:
        wines.append(matrix.get())
    sides = {}
    for wine in wines:
        for arch in wine.arches():
            for dll in ("builtin", "host", "ntke"):
                if dll != "host" and conformance.is_emulated(wine, arch):
                    continue  # an emulator's faults are not those of what it runs
                sides[f"{dll}-{wine.version}-{arch}"] = (dll, wine, arch)
    return sides


def _run(name: str, dll: str, wine: Wine, arch: str) -> results.Side:
    with step(f"running the suite on {name}"):
        report = Report(quiet=True)
        side = conformance.run(report, wine, arch, dll)
    if side is None:
        why = "; ".join(f"{case}: {what}" for case, what, _ in report.failures[:3])
        raise Failure(f"the suite did not run on {name}: {why}")
    return side


def _write(folder: Path, sides: list[results.Side]) -> None:
    causes = {side.name: conformance.Gaps(conformance.expected_files(
        side.wine, side.arch, side.dll, side.emulated)).causes for side in sides}
    table = report_pages.Matrix(sides, causes)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in (("md", report_pages.markdown(table)), ("html", report_pages.html(table))):
        path = folder / f"{FILE}.{suffix}"
        path.write_text(text, encoding="utf-8")
        print(path)
    for side in sides:
        if unexplained := table.count(side, report_pages.UNEXPLAINED):
            say(f"{unexplained} cases fail on {side.name} that tests/expected does not list")
