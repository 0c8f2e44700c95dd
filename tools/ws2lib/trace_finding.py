"""One finding of a trace."""

from dataclasses import dataclass

from .timeline_model import Instant, Slice


@dataclass
class Finding:
    """`kind` is for programs, the rest for readers; `rule` is one of spec/, or empty."""
    kind: str
    title: str
    what: str
    rule: str
    time: int
    place: str
    process: int
    item: int            # the number of what shows it
    count: int = 1       # how many there are of this kind from this place


def at(each: Slice | Instant, kind: str, title: str, what: str, rule: str = "") -> Finding:
    """A finding that a call or an instant shows."""
    if isinstance(each, Instant):
        place = each.parent.outermost.place if each.parent else ""
        return Finding(kind, title, what, rule, each.time, place, each.process.number, each.number)
    return Finding(kind, title, what, rule, each.begin, each.outermost.place,
                   each.process.number, each.number)
