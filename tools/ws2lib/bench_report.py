"""What `ws2 bench` says: medians, spread and ratios, as a table and as JSON."""

import datetime
import json
import os
import platform
import statistics
from pathlib import Path

from .ui import Failure

# Configurations in the order of the columns.
COLUMNS = ("builtin", "host", "ntke", "recorded", "native")
# Where a program and its server run. Left to the scheduler, chance decides whether a request costs 6 us or
# 50, since it takes long to wake another processor.
FREE, TOGETHER, APART = PLACES = ("free", "together", "apart")
PROGRAMS = "programs"  # the "section" of a row that is a program rather than a workload of bench.exe
GROWTH_LIMIT = 1.5  # socket+closesocket with 10,000 sockets open against 10


def quartiles(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [values[0], values[0]]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return [low, high]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def summarize(workload: str, unit: str, rounds: dict[str, list[list[float]]]) -> dict:
    """One entry of the JSON's "workloads". `rounds` has, per configuration, the samples of each
    round. The spread is the first and the third quartile of all samples."""
    median, spread = {}, {}
    for name, samples in rounds.items():
        values = [value for one in samples for value in one]
        if values:
            median[name] = _rounded(statistics.median(values))
            spread[name] = [_rounded(value) for value in quartiles(values)]
    return {"name": workload, "unit": unit, "median": median, "spread": spread}


def ratio(row: dict, name: str, base: str = "builtin") -> float | None:
    """How many times faster `name` is than `base`; None without both figures."""
    mine, theirs = row["median"].get(name), row["median"].get(base)
    if not mine or not theirs:
        return None
    return theirs / mine if row["unit"] == "us" else mine / theirs


def ratio_range(row: dict, name: str, base: str = "builtin") -> tuple[float, float]:
    """The same with the quartiles that speak least, and most, for `name`."""
    mine, theirs = row["spread"][name], row["spread"][base]
    if row["unit"] == "us":
        return theirs[0] / mine[1], theirs[1] / mine[0]
    return mine[0] / theirs[1], mine[1] / theirs[0]


def growth(figures: dict, name: str) -> float | None:
    """The cost of a socket with 10,000 others open over that with 10."""
    medians = {row["name"]: row["median"].get(name) for row in figures["workloads"]}
    few, many = medians.get("socket_close_10"), medians.get("socket_close_10000")
    return many / few if few and many else None


def growth_problems(figures: dict) -> list[str]:
    """Where a socket of ours costs more, the more there are."""
    factors = [(name, growth(figures, name)) for name in COLUMNS[1:-1]]
    return [f"on {name}, socket+closesocket costs {factor:.2f} times as much with 10,000 sockets open as "
            f"with 10 (limit {GROWTH_LIMIT})" for name, factor in factors if factor and factor > GROWTH_LIMIT]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def aligned(rows: list[list[str]], left: int = 1) -> str:
    """A table; the first `left` columns are words, the others figures."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if i < left else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _present(rows: list[dict], key=None) -> list[str]:
    return [name for name in COLUMNS if any(name in (row[key] if key else row) for row in rows)]


def _workload_table(chosen: list[dict], section: str | None) -> str:
    names = _present(chosen, "median")
    ours = [name for name in names if name != "builtin"]
    rows = [[f"{section + ', ' if section else ''}median (quartiles)", "unit", *names,
             *(f"{name}/builtin" for name in ours if "builtin" in names)]]
    for row in chosen:
        cells = [row["name"], row["unit"]]
        for name in names:
            if name in row["median"]:
                low, high = row["spread"][name]
                cells.append(f"{_number(row['median'][name])} ({_number(low)}..{_number(high)})")
            else:  # Not every program has a native partner.
                cells.append("-" if section and name == "native" else "failed")
        if "builtin" in names:
            factors = [ratio(row, name) for name in ours]
            cells += [f"{factor:.2f}x" if factor else "-" for factor in factors]
        rows.append(cells)
    return aligned(rows) + "NAME/builtin: how many times faster than the builtin.\n"


def table(figures: dict) -> str:
    remark = figures["machine"].get("remark")
    parts = [f"{remark}\n"] if remark else []
    for section in (None, PROGRAMS):
        if chosen := [row for row in figures["workloads"] if row.get("section") == section]:
            parts.append(_workload_table(chosen, section))
    growths = [(name, growth(figures, name)) for name in COLUMNS]
    if any(factor for _, factor in growths):
        parts.append("socket+closesocket, 10,000 open against 10: "
                     + ", ".join(f"{name} {factor:.2f}" for name, factor in growths if factor) + "\n")
    if figures["requests"]:
        names = _present(figures["requests"])
        rows = [["server requests per call", *names]]
        rows += [[row["call"], *(f"{row[name]:g}" if name in row else "failed" for name in names)]
                 for row in figures["requests"]]
        parts.append(aligned(rows))
    return "\n".join(parts)


def markdown(figures: dict, workloads: list[str]) -> str:
    """The figures of some workloads as a Markdown table; a ratio is in brackets, over the builtin."""
    chosen = [row for row in figures["workloads"] if row["name"] in workloads]
    names = [name for name in _present(chosen, "median") if name != "host"]
    rows = [["workload", "unit", *names], ["---", "---", *["--:"] * len(names)]]
    for row in chosen:
        cells = []
        for name in names:
            factor = ratio(row, name) if name == "ntke" else None
            cells.append(_number(row["median"].get(name)) + (f" ({factor:.3g}x)" if factor else ""))
        rows.append([f"`{row['name']}`", row["unit"].replace("us", "µs"), *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows) + f"\n{about(figures['machine'])}.\n"


def about(described: dict) -> str:
    """The machine of a run, in a line."""
    words = [f"{described[key]} cores" if key == "cores" else str(described[key])
             for key in ("cpu", "cores", "kernel", "wine", "remark") if described.get(key)]
    words.append(described.get("date", "").partition(" ")[0])
    words.append({TOGETHER: "program and server on one processor",
                  APART: "program and server on different processors"}.get(described.get("place"), ""))
    return ", ".join(word for word in words if word)


def arch(figures: dict) -> str:
    """The kind of Windows programs these are of, as --arch names it."""
    return figures["machine"].get("arch", "x86_64")  # Older files do not tell.


def machine(wine: str, programs: str, remark: str) -> dict:
    """What a reader needs to judge the figures of this kind of programs."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": os.cpu_count(), "memory_mib": memory // 2**20,
            "kernel": f"{platform.system()} {platform.release().partition('-')[0]}", "wine": f"Wine {wine}",
            "arch": programs, "remark": remark,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "load_at_start": [round(load, 2) for load in os.getloadavg()]}


def read_json(path: Path) -> dict:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read as figures: {error}") from error
    if not all(isinstance(figures.get(key), kind) for key, kind in
               (("machine", dict), ("workloads", list), ("requests", list))):
        raise Failure(f"{path} is not a file that `ws2 bench --json` wrote")
    return figures


def write_json(figures: dict, path: Path) -> None:
    kept = {key: figures[key] for key in ("machine", "workloads", "requests")}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
