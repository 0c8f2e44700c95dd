"""What is wrong, or slow, in a program, as its timeline shows. Each kind of finding is a function of a Timeline
in one of the modules below; none is about what ws2_32.dll does."""

from . import trace_findings_events, trace_findings_requests, trace_findings_style
from .timeline_model import Timeline
from .trace_finding import Finding

_DETECTORS = (*trace_findings_events.DETECTORS, *trace_findings_requests.DETECTORS, *trace_findings_style.DETECTORS)


def find(timeline: Timeline) -> list[Finding]:
    """All findings, in order of time; of those of one kind from one place the first, with their number."""
    whole_from = {process.number: process.whole_from for process in timeline.processes}
    first: dict[tuple[str, str], Finding] = {}
    for finding in sorted((finding for detector in _DETECTORS for finding in detector(timeline)),
                          key=lambda finding: finding.time):
        if finding.time < whole_from[finding.process]:
            continue  # what would tell otherwise may be lost
        known = first.setdefault((finding.kind, finding.place), finding)
        if known is not finding:
            known.count += 1
    return list(first.values())


def text(findings: list[Finding]) -> str:
    """For a terminal."""
    lines = []
    for finding in findings:
        times = f"{finding.count} times, first" if finding.count > 1 else ""
        where = " ".join(filter(None, [times, f"at {finding.time / 1e6:.3f} ms", finding.place, finding.rule]))
        lines.append(f"{finding.title}: {finding.what} ({where})")
    return "\n".join(lines)
