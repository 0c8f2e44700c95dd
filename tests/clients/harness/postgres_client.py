"""As much of the PostgreSQL frontend protocol (version 3, trust authentication, simple queries, COPY)
as the cases need."""

import socket
import struct


class PostgresError(Exception):
    """An ErrorResponse; the text is the SQLSTATE and the message."""


class Connection:
    """One session with a server on 127.0.0.1."""

    def __init__(self, port: int, timeout: float):
        self._port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._stream = self._socket.makefile("rb")
        self.notifications: list[tuple[str, str]] = []
        parameters = b"user\0postgres\0database\0postgres\0\0"
        self._socket.sendall(struct.pack(">ii", 8 + len(parameters), 196608) + parameters)
        self.key = b""
        self._until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._send(b"X", b"")
        self._stream.close()
        self._socket.close()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack(">i", 4 + len(body)) + body)

    def _receive(self) -> tuple[bytes, bytes]:
        header = self._stream.read(5)
        if len(header) < 5:
            raise PostgresError("the server closed the connection")
        return header[:1], self._stream.read(struct.unpack(">i", header[1:])[0] - 4)

    def _until_ready(self, copy_in: bytes = b"") -> tuple[list[tuple], bytes]:
        rows, copied, error = [], b"", None
        while True:
            kind, body = self._receive()
            if kind == b"D":
                rows.append(_fields(body))
            elif kind == b"d":
                copied += body
            elif kind == b"G":
                for start in range(0, len(copy_in), 65536):
                    self._send(b"d", copy_in[start:start + 65536])
                self._send(b"c", b"")
            elif kind == b"K":
                self.key = body
            elif kind == b"A":
                channel, text = body[4:].split(b"\0")[:2]
                self.notifications.append((channel.decode(), text.decode()))
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                error = PostgresError(f"{fields[b'C']} {fields[b'M']}")
                if fields[b"S"] == "FATAL":
                    raise error
            elif kind == b"Z":
                if error:
                    raise error
                return rows, copied

    def query(self, sql: str) -> list[tuple]:
        """The rows, every value as text or None."""
        self._send(b"Q", sql.encode() + b"\0")
        return self._until_ready()[0]

    def copy_in(self, sql: str, data: bytes) -> None:
        self._send(b"Q", sql.encode() + b"\0")
        self._until_ready(data)

    def copy_out(self, sql: str) -> bytes:
        self._send(b"Q", sql.encode() + b"\0")
        return self._until_ready()[1]

    def wait_for_notification(self) -> tuple[str, str]:
        while not self.notifications:
            kind, body = self._receive()
            if kind == b"A":
                channel, text = body[4:].split(b"\0")[:2]
                self.notifications.append((channel.decode(), text.decode()))
        return self.notifications.pop(0)

    def cancel(self) -> None:
        """Asks, on a connection of its own, that the running query be cancelled."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(struct.pack(">ii", 16, 80877102) + self.key)
            connection.recv(1)

    def drop(self) -> None:
        """Resets the connection in the middle of whatever happens."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.close()
        self._socket.close()


def _fields(body: bytes) -> tuple:
    at, values = 2, []
    for _ in range(struct.unpack_from(">h", body)[0]):
        length, = struct.unpack_from(">i", body, at)
        at += 4
        values.append(None if length < 0 else body[at:at + length].decode())
        at += max(length, 0)
    return tuple(values)
