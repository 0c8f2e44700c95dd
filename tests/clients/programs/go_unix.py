"""Go's net and net/http over AF_UNIX (scripts/unix.go): AcceptEx, connect, WSARecv and WSASend on a
completion port. The other end is the same program for Windows, the same for this machine, or Python."""

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

from harness.payload import payload
from harness.peers import echo
from harness.report import expect, expect_equal
from harness.wine import PATIENCE, Wine, windows_path
from ws2lib import paths
from ws2lib.fetch import Unavailable
from ws2lib.go_build import ARCHES as GO_ARCHES, built_with_go

CASES = ["two_windows_programs_echo", "a_native_client_is_served", "a_native_server_serves",
         "python_is_the_client", "python_is_the_server", "http_goes_both_ways"]

_COUNT = 16
_BYTES = 300_000
_SOURCE = Path(__file__).resolve().parents[1] / "scripts" / "unix.go"


class _Native:
    """The program for this machine, serving until the `with` block ends."""

    def __init__(self, exe: Path, *args):
        self._process = subprocess.Popen([exe, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        expect(self._process.stdout.readline().startswith("listening"), "the native server listens")
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=PATIENCE)


def prepare(wine: Wine) -> dict:
    if not shutil.which("go"):
        raise Unavailable("go is needed to build it")
    folder = built_with_go(_SOURCE, paths.cache() / "clients" / "unix",
                           {f"windows/{GO_ARCHES[wine.arch]}": "unix.exe", "linux/amd64": "unix"})
    exe, native = folder / "unix.exe", folder / "unix"
    path = wine.scratch / "socket"
    numbers = [str(_COUNT), str(_BYTES)]
    verified = f"verified {_COUNT * _BYTES}"
    probe = wine.start(exe, "probe", windows_path(path))
    if "10047" in probe.wait_for(""):  # WSAEAFNOSUPPORT
        wine.end_case()
        raise Unavailable("this ws2_32.dll has no AF_UNIX here")
    probe.finish()

    def server(role: str):
        program = wine.start(exe, role, windows_path(path), stdin=subprocess.PIPE)
        expect_equal(program.wait_for("listening "), windows_path(path), "the listener's name")
        return program

    def end(program) -> None:
        program.stdin.close()
        expect_equal(program.wait_for("gone "), "true", "the file is removed with the listener")
        program.finish()
        expect(not os.path.lexists(path), "the socket's file is still there")

    def run_native(*args) -> str:
        return subprocess.run([native, *args], stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout.strip()

    def run_windows(role: str) -> str:
        return wine.run(exe, role, windows_path(path), *numbers).output.decode().strip()

    def two_windows_programs_echo():
        program = server("echo")
        expect_equal(run_windows("dial"), verified, "the client")
        end(program)

    def a_native_client_is_served():
        program = server("echo")
        expect_equal(run_native("dial", str(path), *numbers), verified, "the native client")
        end(program)

    def a_native_server_serves():
        with _Native(native, "echo", str(path)):
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
        expect_equal(run_native("get", str(path), *numbers), of_http, "the native client")
        end(program)
        with _Native(native, "serve", str(path)):
            expect_equal(run_windows("get"), of_http, "the client")

    functions = (two_windows_programs_echo, a_native_client_is_served, a_native_server_serves,
                 python_is_the_client, python_is_the_server, http_goes_both_ways)
    return {function.__name__: function for function in functions}
