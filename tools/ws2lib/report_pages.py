"""The conformance matrix as Markdown and as HTML."""

from html import escape

from . import results
from .results import Side

# The states of a case on a side.
PASSES, GAP, UNEXPLAINED, SKIPPED, ABSENT = "passes", "gap", "fails", "skipped", "absent"
MARKS = {PASSES: "✓", GAP: "✗", UNEXPLAINED: "✗!", SKIPPED: "–", ABSENT: ""}
LEGEND = (f"{MARKS[PASSES]} does what Windows does, {MARKS[GAP]} does not, for a known cause, "
          f"{MARKS[UNEXPLAINED]} does not, and nobody has told why, {MARKS[SKIPPED]} skipped itself.")

_DLLS = {"builtin": "Wine's own DLL", "host": "ours, without ntke", "ntke": "ours on ntke"}
_TITLE = "Conformance"
_INTRODUCTION = ("Each case asserts what Windows does, as public documentation or an observation has it; "
                 "the rules are in `spec/`. Nothing here was run on Windows.")


class Matrix:
    """Cases by sides. `causes` has the known gaps of each side: side -> case -> cause."""

    def __init__(self, sides: list[Side], causes: dict[str, dict[str, str]]):
        self.sides = sides
        self._causes = causes
        self.cases = list(dict.fromkeys(case for side in sides for case in side.cases))
        names = list(dict.fromkeys(group_of(case) for case in self.cases))
        self.groups = {name: [case for case in self.cases if group_of(case) == name] for name in names}

    def state(self, side: Side, case: str) -> str:
        outcome = side.cases.get(case)
        if outcome is None:
            return ABSENT
        if outcome.result == results.FAILED:
            return GAP if case in self._causes.get(side.name, {}) else UNEXPLAINED
        return PASSES if outcome.result == results.PASSED else SKIPPED

    def cause(self, side: Side, case: str) -> str:
        """Why the case does not pass there."""
        return self._causes.get(side.name, {}).get(case) or side.cases[case].why

    def count(self, side: Side, *states: str, cases: list[str] | None = None) -> int:
        return sum(self.state(side, case) in states for case in cases or self.cases)

    def failures(self, dll: str, state: str) -> list[tuple[str, str, list[Side]]]:
        """The cases that end like that on sides of a DLL: case, cause, sides. A case has several entries
        when its causes differ."""
        found: dict[tuple[str, str], list[Side]] = {}
        for case in self.cases:
            for side in self.sides:
                if side.dll == dll and self.state(side, case) == state:
                    found.setdefault((case, self.cause(side, case)), []).append(side)
        return [(case, cause, sides) for (case, cause), sides in found.items()]

    def dlls(self) -> list[str]:
        return [dll for dll in ("ntke", "host", "builtin") if any(side.dll == dll for side in self.sides)]


def group_of(case: str) -> str:
    return case.partition(".")[0]


def label(side: Side) -> str:
    """What a column is called."""
    return f"{side.dll} {where(side)}"


def where(side: Side) -> str:
    words = ["Wine", side.wine]
    if side.arch != "x86_64":
        words.append("32-bit" + (" emulated" if side.emulated else ""))
    return " ".join(words)


def _score(matrix: Matrix, side: Side, cases: list[str]) -> tuple[int, int]:
    """How many of the cases that ran there pass."""
    return (matrix.count(side, PASSES, cases=cases),
            matrix.count(side, PASSES, GAP, UNEXPLAINED, cases=cases))


def _sections(matrix: Matrix) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The lists of failures: title, and case, sides and cause of each."""
    sections = []
    for state, title in ((UNEXPLAINED, "Unexplained failures of {}"), (GAP, "Gaps of {}")):
        for dll in matrix.dlls():
            every = [side for side in matrix.sides if side.dll == dll]
            rows = [(case, "everywhere" if len(sides) == len(every) > 1 else ", ".join(map(where, sides)),
                     cause) for case, cause, sides in matrix.failures(dll, state)]
            if rows:
                sections.append((title.format(_DLLS[dll]), rows))
    return sections


# --- Markdown

def markdown(matrix: Matrix) -> str:
    out = [f"# {_TITLE}", "", _INTRODUCTION, ""]
    out += [f"- **{label(side)}**: {_DLLS[side.dll]}, {side.arch}, run {side.date}" for side in matrix.sides]
    out += ["", "## Summary", "", "Cases that pass, of those that ran.", ""]
    out += _markdown_head("group", [label(side) for side in matrix.sides], "--:")
    for group, cases in matrix.groups.items():
        scores = [_score(matrix, side, cases) for side in matrix.sides]
        out.append(_markdown_row([group, *(_markdown_score(*score) for score in scores)]))
    totals = [_score(matrix, side, matrix.cases) for side in matrix.sides]
    out.append(_markdown_row(["**all**", *(f"**{passed}/{ran}**" for passed, ran in totals)]))
    for title, rows in _sections(matrix):
        out += ["", f"## {title}", ""]
        out += _markdown_head("case", ["where", "cause"], "---")
        out += [_markdown_row([f"`{case}`", sides, _markdown_text(cause)]) for case, sides, cause in rows]
    out += ["", "## All cases", "", LEGEND]
    for group, cases in matrix.groups.items():
        out += ["", f"### {group}", ""]
        out += _markdown_head("case", [label(side) for side in matrix.sides], ":-:")
        for case in cases:
            out.append(_markdown_row([case.partition(".")[2], *(MARKS[matrix.state(side, case)]
                                                               for side in matrix.sides)]))
    return "\n".join(out) + "\n"


def _markdown_head(first: str, others: list[str], alignment: str) -> list[str]:
    return [_markdown_row([first, *others]), _markdown_row(["---", *[alignment] * len(others)])]


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_score(passed: int, ran: int) -> str:
    if not ran:
        return ""
    return f"{passed}/{ran}" if passed == ran else f"**{passed}**/{ran}"


def _markdown_text(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


# --- HTML

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --gap: #9a6700; --bad: #cf222e }
@media (prefers-color-scheme: dark) { :root { --good: #57c26b; --gap: #e0a83a; --bad: #ff7b72 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { border-bottom: 1px solid var(--line); padding: .15rem .7rem; text-align: left; vertical-align: top }
thead th { background: Canvas; position: sticky; top: 0 }
td.n { text-align: right; font-variant-numeric: tabular-nums }
td.m { text-align: center }
code { font-size: .93em }
summary { cursor: pointer; font-weight: 600; padding: .2rem 0 }
.passes { color: var(--good) } .gap { color: var(--gap) } .fails { color: var(--bad); font-weight: bold }
"""


def html(matrix: Matrix) -> str:
    labels = [label(side) for side in matrix.sides]
    out = ['<!DOCTYPE html>', '<html lang="en">', '<meta charset="utf-8">',
           '<meta name="viewport" content="width=device-width">', f"<title>{_TITLE}</title>",
           f"<style>{_STYLE}</style>", f"<h1>{_TITLE}</h1>", f"<p>{_code(_INTRODUCTION)}</p>", "<ul>"]
    out += [f"<li><b>{escape(label(side))}</b>: {escape(_DLLS[side.dll])}, {side.arch}, run {side.date}"
            for side in matrix.sides]
    out += ["</ul>", "<h2>Summary</h2>", "<p>Cases that pass, of those that ran.</p>"]
    rows = []
    for group, cases in [*matrix.groups.items(), ("all", matrix.cases)]:
        cells = [f"<td>{escape(group) if group != 'all' else '<b>all</b>'}"]
        for side in matrix.sides:
            passed, ran = _score(matrix, side, cases)
            worst = ("fails" if matrix.count(side, UNEXPLAINED, cases=cases) else
                     "gap" if passed < ran else "passes")
            cells.append(f'<td class="n {worst}">{passed}/{ran}' if ran else "<td>")
        rows.append("".join(cells))
    out += _html_table(["group", *labels], rows)
    for title, failures in _sections(matrix):
        out.append(f"<h2>{escape(title)}</h2>")
        out += _html_table(["case", "where", "cause"], [
            f"<td><code>{escape(case)}</code><td>{escape(sides)}<td>{escape(cause)}"
            for case, sides, cause in failures])
    out += ["<h2>All cases</h2>", f"<p>{escape(LEGEND)}</p>"]
    for group, cases in matrix.groups.items():
        out += [f"<details><summary>{escape(group)}, {len(cases)} cases</summary>"]
        out += _html_table(["case", *labels], [
            f"<td>{escape(case.partition('.')[2])}" + "".join(_html_mark(matrix, side, case)
                                                              for side in matrix.sides)
            for case in cases])
        out.append("</details>")
    return "\n".join(out) + "\n</html>\n"


def _html_mark(matrix: Matrix, side: Side, case: str) -> str:
    state = matrix.state(side, case)
    title = "" if state in (PASSES, ABSENT) else f' title="{escape(matrix.cause(side, case))}"'
    return f'<td class="m {state}"{title}>{MARKS[state]}'


def _html_table(head: list[str], rows: list[str]) -> list[str]:
    return ["<table>", "<thead><tr>" + "".join(f"<th>{escape(cell)}" for cell in head) + "</thead>",
            *(f"<tr>{row}" for row in rows), "</table>"]


def _code(text: str) -> str:
    """Text with `code` in it."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
