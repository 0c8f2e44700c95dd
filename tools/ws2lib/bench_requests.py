"""How many requests to Wine's server each Winsock call costs, out of the server's own log."""

import re
import statistics
import subprocess
import tempfile

from .ui import say

# A request, as the server logs it: the thread and "name( arguments )". Replies read "name() = ...".
_REQUEST = re.compile(r"^([0-9a-f]{4,8}): ([a-z_0-9]+)\((?!\) = )(.*)$")
_MARK = re.compile(r'name=L"ws2-count:(begin|end):([^"]*)"')
_TIMEOUT = 300  # seconds, for all calls; the log slows the server down


def count(prefixes: dict, failures: list) -> list[dict]:
    """Per call the requests of one use of it in each configuration, in the form of the JSON."""
    rows: dict[str, dict] = {}
    for name, prefix in prefixes.items():
        say(f"counting server requests on {name}")
        for call, figures in _count_one(prefix, failures).items():
            rows.setdefault(call, {"call": call})[name] = _steady(figures)
    return list(rows.values())


def _count_one(prefix, failures: list) -> dict[str, list[int]]:
    prefix.stop()
    with tempfile.NamedTemporaryFile("wb", suffix=".log") as log:
        prefix.start(log=log)
        try:
            done = subprocess.run(prefix.command(["--count", "all"]), env=prefix.environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=_TIMEOUT, check=False)
            problem = done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"no end within {_TIMEOUT} s"
        finally:
            prefix.stop()
        if problem:
            failures.append(f"counting requests on {prefix.configuration.name}: {problem.strip()}")
            say(failures[-1])
        with open(log.name, encoding="utf-8", errors="replace") as lines:
            figures = parse(lines)
    prefix.start()
    return figures


def parse(lines) -> dict[str, list[int]]:
    """The requests of each framed call, in the order of the calls. Only the thread that framed the
    call counts: others of the same prefix have their own work."""
    figures: dict[str, list[int]] = {}
    open_frames: dict[str, tuple[str, int]] = {}  # thread -> call, requests so far
    for line in lines:
        match = _REQUEST.match(line)
        if not match:
            continue
        thread, request, arguments = match.groups()
        mark = _MARK.search(arguments) if request == "open_event" else None
        if mark and mark[1] == "begin":
            open_frames[thread] = (mark[2], 0)
        elif mark and thread in open_frames:
            call, requests = open_frames.pop(thread)
            figures.setdefault(call, []).append(requests)
        elif thread in open_frames:
            call, requests = open_frames[thread]
            open_frames[thread] = (call, requests + 1)
    return figures


def _steady(figures: list[int]) -> float:
    """The median without the first use of the call, which may fetch what later ones remember. Not the
    mean: now and then the completion of an earlier operation interrupts the thread within a frame."""
    return statistics.median_low(figures[1:] or figures)
