"""Sums over a timeline: calls with their latencies, bytes, requests to the server."""

from .timeline_model import IO_PENDING, WOULDBLOCK, Timeline

_NO_FAILURES = (0, IO_PENDING, WOULDBLOCK)


def calls(timeline: Timeline) -> list[dict]:
    """One row for each call and service that a program has made, the most frequent first."""
    groups: dict[str, list] = {}
    for each in timeline.slices:
        if not each.parent:
            groups.setdefault(each.name, []).append(each)
    rows = []
    for name, group in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        times = sorted(each.end - each.begin for each in group if each.end is not None) or [0]
        rows.append({"name": name, "count": len(group), "median": percentile(times, 50), "p99": percentile(times, 99),
                     "longest": times[-1], "requests": sum(each.requests for each in group),
                     "failed": sum(1 for each in group if each.kind == "call" and each.error not in _NO_FAILURES)})
    return rows


def percentile(ordered: list[int], percent: int) -> int:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def sums(timeline: Timeline) -> list[tuple[str, str]]:
    outermost = [each for each in timeline.slices if not each.parent]
    made = [each for each in timeline.slices if each.kind == "call"]
    pended = len(timeline.requests)
    done = sum(1 for request in timeline.requests if request.ended)
    return [("calls", f"{len(made):,}"), ("sockets", f"{len(timeline.sockets):,}"),
            ("received", f"{sum(socket.received for socket in timeline.sockets):,} bytes"),
            ("sent", f"{sum(socket.sent for socket in timeline.sockets):,} bytes"),
            ("requests that waited", f"{pended:,}, {pended - done:,} never completed"),
            ("network events recorded", f"{sum(1 for each in timeline.instants if each.kind == 'recorded'):,}"),
            ("requests to the server", f"{sum(each.requests for each in outermost):,}, "
             f"{sum(each.request_time for each in outermost) / 1e6:,.1f} ms"),
            ("handed over to the host", f"{sum(1 for each in timeline.instants if each.kind == 'handed_over'):,} sockets")]
