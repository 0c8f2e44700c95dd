"""Go's net and net/http over AF_UNIX (scripts/network.go): AcceptEx, connect, WSARecv and WSASend on a
completion port. The other end is the same program for Windows, the same for this machine, or Python."""

import os
import socket
import threading

from harness.go_program import GoProgram
from harness.payload import payload
from harness.peers import echo
from harness.report import expect, expect_equal
from harness.wine import PATIENCE, Wine, windows_path
from ws2lib.fetch import Unavailable

CASES = ["two_windows_programs_echo", "a_native_client_is_served", "a_native_server_serves",
         "python_is_the_client", "python_is_the_server", "http_goes_both_ways"]

_COUNT = 16
_BYTES = 300_000


def prepare(wine: Wine) -> dict:
    go = GoProgram(wine)
    path = wine.scratch / "socket"
    numbers = [str(_COUNT), str(_BYTES)]
    verified = f"verified {_COUNT * _BYTES}"
    probe = wine.start(go.exe, "probe", "unix", windows_path(path))
    if "10047" in probe.wait_for(""):  # WSAEAFNOSUPPORT
        wine.end_case()
        raise Unavailable("this ws2_32.dll has no AF_UNIX here")
    probe.finish()

    def server(role: str):
        program, name = go.serve(role, "unix", windows_path(path))
        expect_equal(name, windows_path(path), "the listener's name")
        return program

    def end(program) -> None:
        go.end(program)
        expect(not os.path.lexists(path), "the socket's file is still there")

    def run_native(role: str) -> str:
        return go.run_native(role, "unix", str(path), *numbers)

    def run_windows(role: str) -> str:
        return go.run(role, "unix", windows_path(path), *numbers)

    def two_windows_programs_echo():
        program = server("echo")
        expect_equal(run_windows("dial"), verified, "the client")
        end(program)

    def a_native_client_is_served():
        program = server("echo")
        expect_equal(run_native("dial"), verified, "the native client")
        end(program)

    def a_native_server_serves():
        with go.native_server("echo", "unix", str(path)):
            expect_equal(run_windows("dial"), verified, "the client")

    def python_is_the_client():
        program = server("echo")
        data = payload("unix", _BYTES)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(path))
            threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR))).start()
            answer = b""
            while part := client.recv(65536):
                answer += part
        expect(answer == data, f"{len(answer)} bytes of {len(data)} came back, or others")
        end(program)

    def python_is_the_server():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(_COUNT)
            listener.settimeout(PATIENCE)

            def serve():
                for _ in range(_COUNT):
                    connection, _ = listener.accept()
                    threading.Thread(target=echo, args=(connection,), daemon=True).start()
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            expect_equal(run_windows("dial"), verified, "the client")
            thread.join(PATIENCE)
        path.unlink()

    def http_goes_both_ways():
        program = server("serve")
        of_http = f"verified {_COUNT * _BYTES * 10}"
        expect_equal(run_native("get"), of_http, "the native client")
        end(program)
        with go.native_server("serve", "unix", str(path)):
            expect_equal(run_windows("get"), of_http, "the client")

    functions = (two_windows_programs_echo, a_native_client_is_served, a_native_server_serves,
                 python_is_the_client, python_is_the_server, http_goes_both_ways)
    return {function.__name__: function for function in functions}
