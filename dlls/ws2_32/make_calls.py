#!/usr/bin/env python3
"""make_calls.py SPEC SPEC_OUT LIST_OUT: has every export entered by the gate (gate.h).

Writes the list of exports anew, each with its gate as the function behind it, and the list of gates: a line
CALL(function, arguments, bytes of them on i386, name) each."""

import re
import sys

# What neither waits nor does anything on a network, and is called without end.
PLAIN = re.compile(r"hton|ntoh|WSA(Hton|Ntoh)|inet_|Inet|WSA[GS]etLastError|WSAIsBlocking|__WSAFDIsSet|WEP")
# What programs get from SIO_GET_EXTENSION_FUNCTION_POINTER: our function, its name, its arguments.
EXTENSIONS = [("accept_ex", "AcceptEx", 8), ("connect_ex", "ConnectEx", 7), ("disconnect_ex", "DisconnectEx", 4),
              ("transmit_file", "TransmitFile", 7), ("transmit_packets", "TransmitPackets", 6),
              ("recv_msg", "WSARecvMsg", 5)]


def made(lines) -> tuple[list[str], list[tuple[str, int, str]]]:
    """The lines of the new list of exports, and the gates: function, number of arguments, name for programs."""
    spec, gates = [], []
    for line in lines:
        match = re.fullmatch(r"(\d+ stdcall )(\w+)\(([^)]*)\)", line.strip())
        if match and not PLAIN.match(match[2]):
            gates.append((match[2], len(match[3].split()), match[2]))
            line = f"{match[1]}{match[2]}({match[3]}) gate_{match[2]}\n"
        spec.append(line)
    return spec, gates + [(function, count, name) for function, name, count in EXTENSIONS]


def main(source: str, spec_out: str, list_out: str) -> None:
    with open(source, encoding="utf-8") as file:
        spec, gates = made(file)
    with open(spec_out, "w", encoding="utf-8") as file:
        file.writelines(spec)
    with open(list_out, "w", encoding="utf-8") as file:
        file.writelines(f"CALL({function}, {count}, {4 * count}, {name})\n" for function, count, name in gates)


if __name__ == "__main__":  # `ws2 trace` asks it which calls have a gate
    main(*sys.argv[1:])
