"""The figures of `ws2 bench` as a plot: one row per workload, time per operation on a log scale."""

import math
from xml.sax.saxutils import escape

from .bench_report import COLUMNS, ratio

_COLOURS = {"builtin": "#b3261e", "host": "#e08a00", "ntke": "#1a6fd4", "emulated": "#7b3fbf",
            "native": "#2e7d32"}
_LABELS = {"builtin": "Wine's builtin", "host": "ours, host kernel", "ntke": "ours on ntke",
           "emulated": "ours on ntke, emulated events", "native": "native Linux"}
_LEFT, _WIDTH, _RIGHT = 210, 620, 110   # pixels: names, plot area, ratios
_TOP, _ROW, _BOTTOM = 74, 22, 62
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
    names = [name for name in COLUMNS if any(name in row["median"] for row in rows)]
    values = [value for row in rows for name in names if (value := microseconds(row, name))]
    low = math.floor(math.log10(min(values, default=1)))
    high = max(low + 1, math.ceil(math.log10(max(values, default=10))))
    height = _TOP + _ROW * len(rows) + _BOTTOM
    bottom = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / (high - low)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + _RIGHT}" '
           f'height="{height}" font-family="sans-serif" font-size="12" fill="#222">',
           '<rect width="100%" height="100%" fill="#fff"/>',
           '<text x="12" y="24" font-size="16" font-weight="bold">Time per operation '
           '(log scale, less is better)</text>']
    out += _legend(names)
    for power in range(low, high + 1):
        at = x(10 ** power)
        out.append(f'<line x1="{at:.1f}" y1="{_TOP - 6}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">'
                   f'{_time_label(power)}</text>')
    for index, row in enumerate(rows):
        out += _row(row, names, _TOP + _ROW * index + _ROW / 2, x)
    machine = figures["machine"]
    words = [str(machine[key]) for key in ("cpu", "kernel", "wine", "date") if machine.get(key)]
    out.append(f'<text x="12" y="{height - 14}" font-size="11" fill="#555">'
               f'{escape(", ".join(words))}. At the right: how many times faster than the builtin.'
               '</text>')
    return "\n".join(out) + "\n</svg>\n"


def _legend(names: list[str]) -> list[str]:
    out, at = [], 16
    for name in names:
        out.append(_mark(name, at, 46))
        out.append(f'<text x="{at + 11}" y="50">{escape(_LABELS[name])}</text>')
        at += 34 + 7 * len(_LABELS[name])
    return out


def _row(row: dict, names: list[str], y: float, x) -> list[str]:
    places = {name: x(value) for name in names if (value := microseconds(row, name))}
    out = [f'<text x="{_LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(row["name"])}</text>',
           f'<line x1="{min(places.values()):.1f}" y1="{y:.1f}" x2="{max(places.values()):.1f}" '
           f'y2="{y:.1f}" stroke="#999"/>']
    out += [_mark(name, place, y) for name, place in places.items()]
    best = next((name for name in ("ntke", "host") if name in places), None)
    factor = ratio(row, best) if best else None
    if factor:
        out.append(f'<text x="{_LEFT + _WIDTH + 14}" y="{y + 4:.1f}" font-weight="bold" '
                   f'fill="{_COLOURS[best]}">{factor:.{1 if factor < 10 else 0}f}x</text>')
    return out


def _mark(name: str, x: float, y: float) -> str:
    """A shape per configuration: colours alone are lost on some readers."""
    fill = _COLOURS[name]
    if name == "builtin":
        return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{fill}"/>'
    if name == "native":
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y + 5:.1f} {x - 6:.1f},{y + 5:.1f}"
        return f'<polygon points="{points}" fill="{fill}"/>'
    if name == "emulated":
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
        return f'<polygon points="{points}" fill="{fill}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{fill}"/>'


def _time_label(power: int) -> str:
    if power >= 6:
        return f"{10 ** (power - 6)} s"
    if power >= 3:
        return f"{10 ** (power - 3)} ms"
    return f"{10 ** power:g} us"
