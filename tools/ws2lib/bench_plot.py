"""The figures of `ws2 bench` as a plot: one row per workload, time per operation on a log scale. It is
an SVG that follows the reader's light or dark scheme."""

import math
from xml.sax.saxutils import escape

from .bench_report import about, ratio

# What is shown, in the order of drawing. The host kernel is left out where ntke is there: its marks
# would cover the builtin's.
_LABELS = {"native": "native Linux", "builtin": "Wine's own", "host": "ours without ntke", "ntke": "ours on ntke"}
_STYLE = """
text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 } .span { stroke: #8c959f }
.page { fill: #ffffff } .builtin { fill: #c62828 } .host { fill: #bf6a02 } .ntke { fill: #0969da }
.native { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #30363d } .span { stroke: #6e7681 }
.page { fill: #0d1117 } .builtin { fill: #ff7b72 } .host { fill: #e3a04f } .ntke { fill: #58a6ff }
.native { fill: #56d364 }
}
"""
_LEFT, _WIDTH, _COLUMN = 190, 560, 80   # pixels: names, plot area, a column of ratios
_TOP, _ROW, _BOTTOM = 92, 20, 56
_BULK_BYTES = 65536


def microseconds(row: dict, name: str) -> float | None:
    """Time per operation in any unit of the JSON; bulk_64k counts a buffer as an operation."""
    value = row["median"].get(name)
    if not value:
        return None
    if row["unit"] == "us":
        return value
    return 1e6 / value if row["unit"] == "1/s" else _BULK_BYTES / value


def svg(figures: dict) -> str:
    rows = [row for row in figures["workloads"] if row["median"]]
    names = _shown(rows)
    ours = [name for name in ("ntke", "host") if name in names]
    values = [value for row in rows for name in names if (value := microseconds(row, name))]
    low = math.floor(math.log10(min(values, default=1)))
    high = max(low + 1, math.ceil(math.log10(max(values, default=10))))
    width, bottom = _LEFT + _WIDTH + _COLUMN * len(ours) + 16, _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / (high - low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + _BOTTOM}" width="{width}" '
           f'font-family="sans-serif" font-size="12">', f"<style>{_STYLE}</style>",
           '<rect class="page" width="100%" height="100%"/>',
           '<text x="12" y="24" font-size="16" font-weight="bold">Time per operation, less is better '
           '(log scale)</text>']
    out += _legend(names)
    for power in range(low, high + 1):
        at = x(10 ** power)
        out.append(f'<line class="grid" x1="{at:.0f}" y1="{_TOP - 6}" x2="{at:.0f}" y2="{bottom}"/>')
        out.append(f'<text class="faint" x="{at:.0f}" y="{bottom + 16}" text-anchor="middle">'
                   f'{_time_label(power)}</text>')
    ends = {name: _LEFT + _WIDTH + _COLUMN * (i + 1) for i, name in enumerate(ours)}
    out += [f'<text class="{name}" x="{end}" y="{_TOP - 10}" text-anchor="end">{name}</text>'
            for name, end in ends.items()]
    for index, row in enumerate(rows):
        out += _row(row, names, ends, _TOP + _ROW * index + _ROW // 2, x)
    out.append(f'<text class="faint" x="12" y="{bottom + _BOTTOM - 14}" font-size="11">'
               f'{escape(about(figures["machine"]))}. At the right: how many times faster than '
               "Wine's own.</text>")
    return "\n".join(out) + "\n</svg>\n"


def _shown(rows: list[dict]) -> list[str]:
    there = [name for name in _LABELS if any(name in row["median"] for row in rows)]
    return [name for name in there if name != "host" or "ntke" not in there]


def _legend(names: list[str]) -> list[str]:
    out, at = [], 18
    for name in [name for name in ("builtin", "host", "ntke", "native") if name in names]:
        out.append(_mark(name, at, 48))
        out.append(f'<text x="{at + 11}" y="52">{escape(_LABELS[name])}</text>')
        at += 38 + 7 * len(_LABELS[name])
    return out


def _row(row: dict, names: list[str], ends: dict[str, int], y: int, x) -> list[str]:
    places = {name: x(value) for name in names if (value := microseconds(row, name))}
    out = [f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end">{escape(row["name"])}</text>',
           f'<line class="span" x1="{min(places.values()):.0f}" y1="{y}" x2="{max(places.values()):.0f}" '
           f'y2="{y}"/>']
    out += [_mark(name, place, y) for name, place in places.items()]
    for name, end in ends.items():
        if factor := ratio(row, name):
            out.append(f'<text class="{name}" x="{end}" y="{y + 4}" text-anchor="end">{_times(factor)}</text>')
    return out


def _mark(name: str, x: float, y: int) -> str:
    """A shape per configuration: colours alone are lost on some readers."""
    x = round(x)
    if name == "builtin":
        return f'<rect class="{name}" x="{x - 5}" y="{y - 5}" width="10" height="10"/>'
    if name == "native":
        return f'<path class="{name}" d="M{x} {y - 7}l7 12h-14z"/>'
    return f'<circle class="{name}" cx="{x}" cy="{y}" r="5"/>'


def _times(factor: float) -> str:
    return f"{factor:,.{2 if factor < 2 else 1 if factor < 10 else 0}f}x"


def _time_label(power: int) -> str:
    for least, unit in ((6, "s"), (3, "ms"), (0, "µs")):
        if power >= least:
            return f"{10 ** (power - least)} {unit}"
    return f"{10 ** (power + 3)} ns" if power >= -3 else f"{10 ** power:g} µs"
