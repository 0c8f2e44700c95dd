"""How many requests to Wine's server each Winsock call costs, out of the server's own log."""

import re
import statistics
import subprocess
import tempfile

from .ui import say

# A request, as the server logs it: the thread and "name( arguments )". Replies read "name() = ...".
_REQUEST = re.compile(r"^([0-9a-f]{4,8}): ([a-z_0-9]+)\((?!\) = )(.*)$")
_MARK = re.compile(r'name=L"ws2-count:(begin|end|quiet):([^"]*)"')
_NEW_THREAD = re.compile(r"^([0-9a-f]{4,8}): new_thread\(\) = 0 \{ tid=([0-9a-f]{4,8}),")
_TIMEOUT = 300  # seconds, for all calls; the log slows the server down

ELSEWHERE = " (another thread)"  # behind the name of a request that the caller's thread did not make


def count(prefixes: dict, failures: list) -> tuple[list[dict], dict]:
    """Per call the number of requests of one use of it in each configuration, in the form of the JSON;
    and which these are: {(call, configuration): [request, ...]}."""
    rows: dict[str, dict] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for name, prefix in prefixes.items():
        say(f"counting server requests on {name}")
        for call, uses in _count_one(prefix, failures).items():
            number, names[call, name] = steady(uses)
            rows.setdefault(call, {"call": call})[name] = number
    return list(rows.values()), names


def _count_one(prefix, failures: list) -> dict[str, list[list[str]]]:
    prefix.stop()
    with tempfile.NamedTemporaryFile("wb", suffix=".log") as log:
        prefix.start(log=log)
        output = ""
        try:
            done = subprocess.run(prefix.command(["--count", "all"]), env=prefix.environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=_TIMEOUT, check=False)
            output, problem = done.stdout, done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired:
            problem = f"no end within {_TIMEOUT} s"
        finally:
            prefix.stop()
        if problem:
            failures.append(f"counting requests on {prefix.configuration.name}: {problem.strip()}")
            say(failures[-1])
        if output:
            prefix.check_module(output)
        with open(log.name, encoding="utf-8", errors="replace") as lines:
            uses = parse(lines)
    prefix.start()
    return uses


class _Frame:
    """One use of a call: from its first mark to the one that says that all is quiet."""

    def __init__(self, call: str, thread: str):
        self.call = call
        self.thread = thread
        self.is_inside = True  # of the call itself
        self.requests: list[str] = []


def parse(lines) -> dict[str, list[list[str]]]:
    """The requests of each use of each call, in the order of the uses. Those of the thread that framed
    the call count until the call has ended; those of other threads of the same process until the program
    says that all is quiet. Other processes of the prefix have their own work."""
    uses: dict[str, list[list[str]]] = {}
    frames: dict[str, _Frame] = {}     # process -> the frame that is open
    process: dict[str, str] = {}       # thread -> the first thread known of its process
    in_own_process = set()             # threads that are making a thread of their own process
    for line in lines:
        if made := _NEW_THREAD.match(line):
            if made[1] in in_own_process:
                process[made[2]] = process.get(made[1], made[1])
            continue
        match = _REQUEST.match(line)
        if not match:
            continue
        thread, request, arguments = match.groups()
        if request == "new_thread":
            (in_own_process.add if "process=ffffffff," in arguments else in_own_process.discard)(thread)
        owner = process.get(thread, thread)
        frame = frames.get(owner)
        mark = _MARK.search(arguments) if request == "open_event" else None
        if mark and mark[1] == "begin":
            frames[owner] = _Frame(mark[2], thread)
        elif mark and frame and mark[1] == "end":
            frame.is_inside = False
        elif mark and frame:
            uses.setdefault(frame.call, []).append(frames.pop(owner).requests)
        elif frame and thread != frame.thread:
            frame.requests.append(request + ELSEWHERE)
        elif frame and frame.is_inside:
            frame.requests.append(request)
    return uses


def steady(uses: list[list[str]]) -> tuple[int, list[str]]:
    """The median number of requests, without the first use of the call, which may fetch what later ones
    remember; and the requests of one use that has as many. Not the mean: now and then the completion of
    an earlier operation interrupts the thread within a frame."""
    later = uses[1:] or uses
    number = statistics.median_low(len(use) for use in later)
    return number, next(use for use in later if len(use) == number)
