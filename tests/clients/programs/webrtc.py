"""WebRTC data channels (SCTP over DTLS over UDP) between two Node.js, scripts/webrtc.cjs: sockets of WebRTC's own
network thread, told of by WSAEventSelect, beside libuv's. The other peer is one for Windows or for this machine."""

import json
import os
import shutil
import subprocess

from pathlib import Path

from harness.report import expect_equal
from harness.wine import PATIENCE, Wine, windows_path
from ws2lib import paths
from ws2lib.fetch import NODES, NpmPackage, Unavailable, unpacked_npm

from .javascript import claim_windows_10

CASES = ["two_windows_peers_keep_the_order", "a_native_peer_answers", "a_native_peer_offers"]

_PACKAGES = [
    NpmPackage("@roamhq/wrtc", "0.10.0",
               "yFqQQ0EV1ZUHaphh3tmjoxPi2wzhW2vjmzoAVNRRLUjXYd2e1nvwi9TKfE2w4WNvNws/hBkouvOt23Xo9FkXkQ=="),
    NpmPackage("@roamhq/wrtc-win32-x64", "0.10.0",
               "wEVXMvLrBizdLyrd+Zc7zb7zpwUuHUBXwrdIvI69e3i/AA8YsVYI2xo/sxk6GoQ+o8a14ONc4SStDS35TCjg+w=="),
    NpmPackage("@roamhq/wrtc-linux-x64", "0.10.0",
               "H32lK2eFg3sVb/9nkHIX5HIisxFoS82Gpesuea+zqAyRpRzSd5NpFXx28bVy9wQyRrNtj8k0bTUgEzWRzSbYCA=="),
]
_SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "webrtc.cjs"
_IN_ORDER = [250] * 3


class _Native:
    """A peer of this machine's Node.js."""

    def __init__(self, modules: Path, *args):
        self._process = subprocess.Popen(["node", _SCRIPT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         text=True, env=dict(os.environ, NODE_PATH=str(modules)))

    def wait_for(self, start: str) -> str:
        line = self._process.stdout.readline()
        expect_equal(line[:len(start)], start, "what the native peer says")
        return line[len(start):].strip()

    def finish(self) -> None:
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def prepare(wine: Wine) -> dict:
    version = subprocess.run([wine.command, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if version.startswith("wine-10.0"):
        raise Unavailable("on Wine 10.0 WebRTC finds no address to use, on Wine's own DLL as little as on ours")
    if not shutil.which("node"):
        raise Unavailable("node is needed for the native peer")
    exe = unpacked_npm(NODES["x86_64"]) / "bin" / "node.exe"
    claim_windows_10(wine, exe.name)
    modules = _modules()

    def windows_peer(*args):
        return wine.start(exe, windows_path(_SCRIPT), *args, env={"NODE_PATH": windows_path(modules)})

    def converse(answerer, start_offerer) -> None:
        offerer = start_offerer("offer", answerer.wait_for("PORT "))
        for name, peer in (("offerer", offerer), ("answerer", answerer)):
            expect_equal(json.loads(peer.wait_for("RESULT ")), _IN_ORDER, f"messages in order at the {name}")
            peer.finish()

    def with_native(converse_with) -> None:
        peers = []

        def start(*args):
            peers.append(_Native(modules, *args))
            return peers[-1]
        try:
            converse_with(start)
        finally:
            for peer in peers:
                peer.kill()

    return {
        "two_windows_peers_keep_the_order": lambda: converse(windows_peer("answer"), windows_peer),
        "a_native_peer_answers": lambda: with_native(lambda start: converse(start("answer"), windows_peer)),
        "a_native_peer_offers": lambda: with_native(lambda start: converse(windows_peer("answer"), start)),
    }


def _modules() -> Path:
    """The packages as Node.js looks for them."""
    folder = paths.cache() / "clients" / "webrtc"
    for package in _PACKAGES:
        link = folder / package.name
        link.parent.mkdir(parents=True, exist_ok=True)
        target = unpacked_npm(package)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return folder
