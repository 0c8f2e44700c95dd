"""A name server, and a computer whose only addresses are loopback and one of IPv4: run in namespaces of its own, as

    name_server.py FOLDER COMMAND...

it sets them up, runs the command there, and ends with its exit code. FOLDER is for what it writes. See names_check.py.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

# What tests/conformance/dns.cpp knows of it.
IPV4, IPV6, CNAME = 1, 28, 5
NAMES = {
    b"both.ws2.example": {IPV4: [socket.inet_aton("192.0.2.77"), socket.inet_aton("192.0.2.78")],
                          IPV6: [socket.inet_pton(socket.AF_INET6, "2001:db8::77")]},
    b"alias.ws2.example": {CNAME: [b"\4both\3ws2\7example\0"]},
    b"xn--zckzah.ws2.example": {IPV4: [socket.inet_aton("192.0.2.79")]},
}


def answer(query: bytes) -> bytes:
    """A name that is an alias is answered with what it stands for."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    question = query[12:at + 5]
    wanted = struct.unpack(">H", question[-4:-2])[0]
    name = b".".join(labels).lower()
    known = NAMES.get(name)
    records = []
    owner = b"\xc0\x0c"
    if known and CNAME in known:
        target = known[CNAME][0]
        records.append(_record(owner, CNAME, target))
        known = NAMES[b"both.ws2.example"]
        owner = target
    records += [_record(owner, wanted, data) for data in (known or {}).get(wanted, [])]
    code = 0x8180 if known else 0x8183  # an answer, or: there is no such name
    return query[:2] + struct.pack(">HHHHH", code, 1, len(records), 0, 0) + question + b"".join(records)


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def _serve(server: socket.socket) -> None:
    while True:
        query, peer = server.recvfrom(1500)
        server.sendto(answer(query), peer)


def _switch_on_loopback() -> None:
    """With an address that is none of loopback's."""
    up_and_running = struct.pack("16sh", b"lo", 0x41)
    address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("192.0.2.1"))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, up_and_running)  # SIOCSIFFLAGS
        fcntl.ioctl(any_socket, 0x8916, address)  # SIOCSIFADDR


def main(folder: Path, command: list[str]) -> int:
    _switch_on_loopback()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
