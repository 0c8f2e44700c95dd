"""The language of `ws2 trace --fault`.

    CALL:WHAT[:WHAT...]     e.g. recv:ECONNRESET:p=0.01   send:short   connect:delay=500ms   accept:WSAEMFILE:after=100

CALL is an export of ws2_32.dll or an extension function that has a gate, or a group of them (GROUPS). WHAT is an error, by its name
with or without WSA or by its number; `short`, half of the bytes; `delay=TIME` (ms unless s); `p=CHANCE`, of each call;
`after=N` calls that are spared; `times=N` it strikes. Which calls are struck follows from the seed alone.
"""

import importlib.util
import re

from . import paths, winsock_errors
from .ui import Failure

MOST = 16
LONGEST_DELAY = 3_600_000  # ms

# A word for what programs of both kinds do.
GROUPS = {"recv": ("recv", "recvfrom", "WSARecv", "WSARecvFrom", "WSARecvMsg"),
          "send": ("send", "sendto", "WSASend", "WSASendTo", "WSASendMsg"),
          "connect": ("connect", "WSAConnect", "ConnectEx"),
          "accept": ("accept", "WSAAccept", "AcceptEx"),
          "getaddrinfo": ("getaddrinfo", "GetAddrInfoW", "GetAddrInfoExA", "GetAddrInfoExW")}
_CAN_BE_SHORT = {"recv", "recvfrom", "WSARecv", "WSARecvFrom", "WSARecvMsg", "send", "sendto", "WSASend", "WSASendTo", "WSASendMsg"}


def setting(faults: list[str], seed: int) -> str:
    """The value of WS2_32_FAULT (dlls/ws2_32/fault.h). Failure: a fault is not understood."""
    rows = [row for fault in faults for row in _rows(fault)]
    if len(rows) > MOST:
        raise Failure(f"too many faults: {len(rows)} calls, and {MOST} are possible (recv, say, is {len(GROUPS['recv'])})")
    return f"{seed}" + "".join(f";{row}" for row in rows)


def _rows(fault: str) -> list[str]:
    call, *words = fault.split(":")
    calls = GROUPS.get(call) or (call,)
    if not set(calls) <= _gates():
        _refuse(fault, f"there is no call {call}, or none that can be struck (htons, say, does nothing on a network)")
    error, is_short, delay, chance, after, times = 0, 0, 0, 1_000_000, 0, 0
    for word in words:
        key, equals, value = word.partition("=")
        try:
            if word == "short":
                is_short = 1
            elif not equals:
                error = winsock_errors.number(word) or _refuse(fault, f"{word} is no error")
            elif key == "delay":
                delay = _milliseconds(value)
            elif key == "p":
                if not 0 <= float(value) <= 1:
                    _refuse(fault, f"{value} is no chance: say 0 to 1")
                chance = round(float(value) * 1_000_000)
            elif key == "after":
                after = _number(value)
            elif key == "times":
                times = _number(value)
            else:
                _refuse(fault, f"{key} means nothing")
        except ValueError:
            _refuse(fault, f"{value} is no value of {key}")
    if not (error or is_short or delay):
        _refuse(fault, "nothing is to happen: say an error, short or delay=")
    if is_short and not set(calls) <= _CAN_BE_SHORT:
        _refuse(fault, f"{call} cannot be short")
    return [f"{name},{error},{is_short},{delay},{chance},{after},{times}" for name in calls]


def _refuse(fault: str, why: str):
    raise Failure(f"--fault {fault}: {why}")


def _milliseconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)(ms|s)?", text)
    if not match:
        raise ValueError
    milliseconds = int(match[1]) * (1000 if match[2] == "s" else 1)
    if milliseconds > LONGEST_DELAY:
        raise ValueError
    return milliseconds


def _number(text: str) -> int:
    if not text.isdigit():
        raise ValueError
    return int(text)


def _gates() -> set[str]:
    """The calls that the DLL looks at before it does them, out of what gives them their gates."""
    place = importlib.util.spec_from_file_location("make_calls", paths.ROOT / "dlls" / "ws2_32" / "make_calls.py")
    make_calls = importlib.util.module_from_spec(place)
    place.loader.exec_module(make_calls)
    with open(paths.ROOT / "spec" / "ws2_32.spec", encoding="utf-8") as spec:
        return {name for _, _, name in make_calls.made(spec)[1]}
