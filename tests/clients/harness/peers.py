"""The other ends of the connections, on the Linux side. All listen on loopback, on a port the system
picks, and end with the `with` block that made them."""

import http.server
import random
import socket
import socketserver
import struct
import threading
from pathlib import Path

from .payload import payload


class _Threaded:
    """Serves in a thread as long as the `with` block lasts."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def port(self) -> int:
        return self.server_address[1]


class TcpServer(_Threaded, socketserver.ThreadingTCPServer):
    """Calls `talk(socket)` in a thread of its own for every connection."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, talk, host: str = "127.0.0.1"):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._talk = talk
        super().__init__((host, 0), None)

    def finish_request(self, request, client_address):
        self._talk(request)

    def handle_error(self, request, client_address):
        pass  # A peer that goes away early is the case's to judge.


def echo(connection: socket.socket) -> None:
    """Sends back what comes until the peer ends its side."""
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def greet_and_reset(connection: socket.socket) -> None:
    """Sends ten bytes, waits for one, then resets the connection."""
    connection.sendall(b"0123456789")
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class UdpEcho(_Threaded, socketserver.UDPServer):
    """Sends every datagram back to its sender."""
    max_packet_size = 65535

    def __init__(self, host: str = "127.0.0.1"):
        super().__init__((host, 0), None)

    def finish_request(self, request, client_address):
        data, server = request
        server.sendto(data, client_address)


class HttpServer(_Threaded, http.server.ThreadingHTTPServer):
    """GET /body/NAME/LENGTH answers that payload, POST and PUT answer what was sent, GET
    /redirect/PATH sends there. `uploads` keeps what PUT brought, by path."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        self.uploads: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _HttpHandler)

    def handle_error(self, request, client_address):
        pass


class _HttpHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = self.path.split("/")
        if parts[1] == "body":
            self._answer(200, payload(parts[2], int(parts[3])))
        elif parts[1] == "redirect":
            self.send_response(302)
            self.send_header("Location", "/" + "/".join(parts[2:]))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(404, b"no such thing")

    def do_POST(self):
        self._answer(200, self._body())

    def do_PUT(self):
        self.server.uploads[self.path] = body = self._body()
        self._answer(201, str(len(body)).encode())

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while length := int(self.rfile.readline().strip(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class DnsServer(_Threaded, socketserver.UDPServer):
    """Answers A, AAAA and TXT questions from a table {(name, type): [rdata]}; NXDOMAIN otherwise."""

    def __init__(self, table: dict[tuple[str, int], list[bytes]]):
        self.table = table
        super().__init__(("127.0.0.1", 0), None)

    def finish_request(self, request, client_address):
        query, server = request
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, = struct.unpack_from(">H", query, at + 1)
        question = query[12:at + 5]
        answers = self.table.get((".".join(labels).lower(), kind), [])
        known = any(name == ".".join(labels).lower() for name, _ in self.table)
        reply = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, len(answers), 0, 0)
        reply += question
        for data in answers:
            reply += struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
        server.sendto(reply, client_address)


def closed_port() -> int:
    """A port nobody listens on. It is none of those the system gives to whoever asks for any, so nobody
    gets it by chance before the case has made use of it."""
    for _ in range(1000):
        port = random.randrange(10000, _first_given_port())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def _first_given_port() -> int:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return lowest if lowest > 11000 else 65536
