"""release/setup.sh in made-up prefixes: run as users run it, and watched at every command with which it changes
something."""

import os
import signal
import subprocess
from pathlib import Path

from prefix_world import WorldCase, make_build, tree_of
from ws2lib import paths, release
from ws2lib.ui import Failure

# The commands by which setup.sh changes something, each in a wrapper; and those by which it looks.
CHANGING = ("cat", "chmod", "chown", "cp", "ln", "mkdir", "mv", "rm", "rmdir")
LOOKING = ("awk", "df", "dirname", "flock", "grep", "head", "id", "ls", "mktemp", "od", "readlink", "sed", "sha256sum", "stat",
           "sync", "tail", "tr", "uname", "wc", "wineserver")
SHELLS = ("dash", "bash", "busybox", "mksh", "ksh", "zsh", "yash", "posh")

# Notes what the world holds after each change, and at a given one ends setup.sh and everything it has started.
# cat, which writes the new files, is seen with half of its work done as well.
WRAPPER = """#!/bin/sh
look() {
    read -r count <"$WATCH/count"
    [ "$count" = "$KILL_AT" ] && kill -9 0
    [ "$KILL_AT" ] || /bin/cp -a "$WORLD" "$WATCH/after/$count"
    echo $((count + 1)) >"$WATCH/count"
}
case $0 in
*/ln) if [ "$NO_LINKS" ]; then exit 1; fi ;;
*/cat) look; dd bs=3 count=1 2>/dev/null; look ;;
esac
"/bin/${0##*/}" "$@"
status=$?
look
exit $status
"""


class SetupCase(WorldCase):
    """A world with a prefix in it, and releases of two builds."""

    def setUp(self):
        super().setUp()
        self.world = self.scratch / "world"
        self.world.mkdir()
        self.builds = {"install": make_build(self.scratch / "first", "first"),
                       "upgrade": make_build(self.scratch / "second", "second")}
        self.releases = {}
        for verb, build in self.builds.items():
            for arch in paths.ARCHES:
                (build / arch / "demo").mkdir()
                (build / arch / "demo/probe.exe").write_bytes(b"no program")
            paths.DIST = build
            self.releases[verb] = self.scratch / f"release {verb}"
            release.lay_out(self.releases[verb])
        self.watch = self.scratch / "watch"
        self._make_tools()

    def _make_tools(self) -> None:
        """A folder for PATH with what setup.sh may call, and nothing else."""
        (self.scratch / "bin").mkdir()
        for name in LOOKING:
            (self.scratch / "bin" / name).symlink_to(f"/usr/bin/{name}")
        for name in CHANGING:
            place = self.scratch / "bin" / name
            place.write_text(WRAPPER)
            place.chmod(0o755)

    def script(self, verb: str) -> Path:
        return self.releases.get(verb, self.releases["install"]) / "setup.sh"

    def run_setup(self, verb: str, folder: Path, shell: tuple[str, ...] = (), **env: str) -> str:
        """What it says; raises Failure when it refuses."""
        words = [*shell, self.script(verb), "install" if verb == "upgrade" else verb, folder]
        done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="surrogateescape", timeout=300,
                              env={**os.environ, **env}, start_new_session=True)
        if done.returncode == -signal.SIGKILL:
            return ""
        if done.returncode and verb != "status":
            raise Failure(done.stdout)
        return done.stdout

    def watch_setup(self, verb: str, folder: Path, **env: str) -> list[tuple]:
        """What a kill may leave: what the world holds after each change."""
        self._begin_watch()
        self.run_setup(verb, folder, PATH=str(self.scratch / "bin"), WATCH=str(self.watch), WORLD=str(self.world),
                       KILL_AT="", NO_LINKS=env.get("NO_LINKS", ""))
        after = self.watch / "after"
        return [tree_of(after / name) for name in sorted(os.listdir(after), key=int)]

    def kill_setup(self, verb: str, folder: Path, number: int) -> None:
        self._begin_watch()
        self.run_setup(verb, folder, PATH=str(self.scratch / "bin"), WATCH=str(self.watch), WORLD=str(self.world),
                       KILL_AT=str(number), NO_LINKS="")

    def _begin_watch(self) -> None:
        subprocess.run(["rm", "-rf", self.watch], check=True)
        (self.watch / "after").mkdir(parents=True)
        (self.watch / "count").write_text("0\n")
