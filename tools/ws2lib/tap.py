"""Reads TAP, the output of every suite here, as far as cmocka and ours print it."""

import re
from dataclasses import dataclass, field


@dataclass
class Case:
    name: str
    ok: bool
    skipped: str | None = None  # the reason
    details: list[str] = field(default_factory=list)


@dataclass
class Result:
    cases: list[Case]
    planned: int | None
    bail_out: str | None

    def is_complete(self) -> bool:
        return self.planned is not None and len(self.cases) >= self.planned and not self.bail_out


def parse(text: str) -> Result:
    """`text` is one program's whole output; a missing plan or a short one shows in the result."""
    cases: list[Case] = []
    planned = None
    bail_out = None
    loose: list[str] = []  # what stands before a case's own line belongs to that case
    for line in text.splitlines():
        line = line.rstrip("\r")
        if match := re.match(r"(not )?ok \d+(?: -)? ?(.*)", line):
            name, _, directive = match[2].partition(" # ")
            # cmocka says it behind the name, of a case whose group could not be set up, too.
            name, _, broken = name.partition(" Could not run test: ")
            if broken:
                loose = [broken.strip(), *loose]
            skip = re.match(r"skip\S*\s*(.*)", directive, re.IGNORECASE)
            cases.append(Case(name.strip().removeprefix("# SKIP "), match[1] is None,
                              skip[1] if skip else None, loose))
            if "# SKIP" in match[2] and not skip:
                cases[-1].skipped = ""
            loose = []
        elif match := re.match(r"1\.\.(\d+)", line):
            planned = (planned or 0) + int(match[1])
        elif match := re.match(r"Bail out!\s*(.*)", line):
            bail_out = match[1]
        elif line.strip() and not re.match(r"# (ws2_32:|system:|group:|ok - |not ok - )", line):
            if cases and line.startswith("#") and not cases[-1].ok:
                cases[-1].details.append(line)
            else:
                loose.append(line)
    if cases:
        cases[-1].details += loose
    return Result(cases, planned, bail_out)
