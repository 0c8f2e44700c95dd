"""Where this repository shows figures of `ws2 bench`: as JSON, as a plot, and as a table in a page."""

import re
from dataclasses import dataclass
from pathlib import Path

from . import bench_plot, bench_report, bench_targets, paths
from .ui import Failure

FOLDER = paths.ROOT / "tests" / "bench"


@dataclass(frozen=True)
class Place:
    """Of the figures of one kind of programs: the name of the files in `FOLDER`, and the page with the table."""
    name: str
    page: Path

    @property
    def json(self) -> Path:
        return FOLDER / f"{self.name}.json"

    @property
    def plot(self) -> Path:
        return FOLDER / f"{self.name}.svg"


PLACES = {"x86_64": Place("figures", paths.ROOT / "README.md"),
          "i386": Place("figures-i386", FOLDER / "README.md")}


def place_of(arch: str) -> Place:
    if arch not in PLACES:
        raise Failure(f"figures of {arch} are published nowhere, only those of {' and '.join(PLACES)}")
    return PLACES[arch]


def publish(figures: dict) -> None:
    place = place_of(bench_report.arch(figures))
    text = with_table(place.page.read_text(encoding="utf-8"), figures)
    bench_report.write_json(figures, place.json)
    place.plot.write_text(bench_plot.svg(figures), encoding="utf-8")
    place.page.write_text(text, encoding="utf-8")


def with_table(text: str, figures: dict) -> str:
    """The text of a page with the table of these figures between its marks."""
    names = [target.workload for target in bench_targets.TARGETS]
    parts = re.split(r"(<!-- figures -->\n|<!-- end of figures -->\n)", text)
    if len(parts) != 5:
        raise Failure("the page has not one place between `<!-- figures -->` and `<!-- end of figures -->`")
    return "".join([*parts[:2], bench_report.markdown(figures, names), *parts[3:]])
