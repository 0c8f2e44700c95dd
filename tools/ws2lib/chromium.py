"""Pages in a headless Chromium, over its DevTools protocol: enough to try what `ws2 trace` writes."""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from .ui import Failure

LIMIT = 120  # seconds; only there to end a hang


class Page:
    """One page that is open. `problems` are what it has complained of on the console."""

    def __init__(self, stream: "_WebSocket"):
        self._stream = stream
        self._number = 0
        self.problems: list[str] = []
        for domain in ("Runtime", "Log", "Page"):
            self._call(f"{domain}.enable")

    def open(self, path: Path) -> None:
        self._call("Page.navigate", url=path.absolute().as_uri())
        end = time.monotonic() + LIMIT
        while self.evaluate("document.readyState") != "complete":
            if time.monotonic() > end:
                raise Failure(f"{path} is not loaded within {LIMIT} s")
            time.sleep(0.1)

    def evaluate(self, expression: str):
        """The value of an expression of JavaScript in the page. Failure: it throws."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wheel(self, x: int, y: int, amount: int) -> None:
        self._call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=amount)

    def click(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters) -> dict:
        self._number += 1
        self._stream.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._stream.receive())
            if message.get("id") == self._number:
                if "error" in message:
                    raise Failure(f"Chromium: {method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(parameters["entry"]["text"])
        elif message.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.problems.append(str(parameters["args"]))


@contextlib.contextmanager
def page(width: int = 1400, height: int = 800):
    """An empty page in a browser of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        raise Failure("chromium is missing")
    with tempfile.TemporaryDirectory(prefix="ws2-chromium-", ignore_cleanup_errors=True) as profile:
        # Chromium's sandbox refuses to start as root.
        command = [program, "--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
                   f"--user-data-dir={profile}", f"--window-size={width},{height}",
                   *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank"]
        with open(Path(profile) / "log", "wb") as log:
            browser = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            stream = _WebSocket(_debugger(_port(Path(profile), browser)))
            yield Page(stream)
            stream.close()
        finally:
            # With the processes that it has started, which write to the profile.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def _port(profile: Path, browser: subprocess.Popen) -> int:
    place = profile / "DevToolsActivePort"
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and browser.poll() is None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(place.read_text().splitlines()[0])
        time.sleep(0.1)
    raise Failure("Chromium does not start: " + (profile / "log").read_text(errors="replace")[-500:])


def _debugger(port: int) -> str:
    """The address of the first page's WebSocket."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        # Whatever proxy the environment names, this is here.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{port}/json", timeout=LIMIT) as answer:
            for target in json.load(answer):
                if target["type"] == "page":
                    return target["webSocketDebuggerUrl"]
        time.sleep(0.1)
    raise Failure("Chromium shows no page")


class _WebSocket:
    """A client of RFC 6455, as far as DevTools needs it: text, and no extension."""

    def __init__(self, url: str):
        host, port, path = re.fullmatch(r"ws://([^:/]+):(\d+)(/.*)", url).groups()
        self._socket = socket.create_connection((host, int(port)), timeout=LIMIT)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        if b" 101 " not in self._file.readline():
            raise Failure("Chromium's DevTools speak no WebSocket")
        while self._file.readline().strip():
            pass

    def send(self, text: str) -> None:
        data, mask = text.encode(), secrets.token_bytes(4)
        size = len(data)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else \
            struct.pack("!BBH", 0x81, 0x80 | 126, size) if size < 1 << 16 else struct.pack("!BBQ", 0x81, 0x80 | 127, size)
        self._socket.sendall(head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data)))

    def receive(self) -> str:
        parts = []
        while True:
            first, second = self._file.read(2)
            size = second & 0x7F
            if size >= 126:
                size = struct.unpack("!H" if size == 126 else "!Q", self._file.read(2 if size == 126 else 8))[0]
            data = self._file.read(size)
            if first & 0xF == 8:
                raise Failure("Chromium has closed the page")
            if first & 0xF <= 1:
                parts.append(data)
                if first & 0x80:
                    return b"".join(parts).decode()

    def close(self) -> None:
        self._file.close()
        self._socket.close()
