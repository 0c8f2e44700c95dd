"""`ws2 build`: set-up, configuration, compilation, and the stripped result in build/dist."""

import configparser
import json
import os
import platform
import shutil
from pathlib import Path

from . import debian, packages, paths
from .ui import Failure, exclusive, run_quietly, step

HELP = """\
Builds the DLL and the Windows programs for both architectures into build/dist, and the native suites.

examples:
  ws2 build                    everything
  ws2 build --only x86_64      only the 64-bit DLL and programs, with both halves of their ntke
  ws2 build --clean            throws the build folders away first
"""

# The native builds: the plain one, and one per sanitizer family (they exclude each other).
NATIVE = {
    "native": [],
    "native-asan": ["-Db_sanitize=address,undefined", "-Db_lundef=false"],
    "native-tsan": ["-Db_sanitize=thread", "-Db_lundef=false"],
}

# The Linux half of ntke, as programs of an architecture reach it: a part of that one's build, made by the
# machine's own compiler in a folder of its own.
UNIX = {"x86_64": "unix", "i386": "unix-i386"}

# What a user runs of a Windows build: all that `ws2 run`, `ws2 prefix` and `ws2 release` take.
RUNTIME = ["dlls/ws2_32/ws2_32.dll", "dlls/ntke/pe/ntke.dll", "tools/demo/probe.exe", "tools/demo/event_echo.exe"]

# How a build is set up for who only runs it: a third of the work. Its programs are the same to the byte, but for the
# number that a linker makes of debug information; whoever ships or tests them has the plain build.
QUICK = {"tests": False, "debug": False, "b_pch": True}
PLAIN = {"tests": True, "debug": True, "b_pch": False}


def add_arguments(parser) -> None:
    parser.add_argument("--only", action="append", choices=[*paths.ARCHES, *NATIVE], metavar="BUILD",
                        help=f"one of {', '.join([*paths.ARCHES, *NATIVE])}; may be repeated")
    parser.add_argument("--clean", action="store_true", help="throw the build folders away first")


def main(args) -> int:
    if args.clean:
        for name in args.only or [*paths.ARCHES, *NATIVE, *UNIX.values(), "dist"]:
            shutil.rmtree(paths.BUILD / name, ignore_errors=True)
    build(*(args.only or [*paths.ARCHES, "native"]))
    return 0


def build(*names: str, tests: bool = True, quick: bool = False) -> None:
    """Brings these builds up to date, with the set-up they need; without `tests` only what users run of them,
    `quick` if they are not set up yet: that takes less than a minute where all takes ten. Says little when there
    is little to do."""
    cross = [name for name in names if name in paths.ARCHES]
    unix = [UNIX[name] for name in cross] if platform.machine() == "x86_64" else []
    packages.ensure(*cross, *unix, *(["native"] if len(cross) < len(names) else []))
    with exclusive(paths.BUILD / ".lock", "a build"):
        if tests:
            fill_package_cache()
        for name in [*unix, *names]:
            _build_one(name, tests, quick)


def wrap_values() -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(paths.ROOT / "subprojects" / "cmocka.wrap")
    return dict(parser["wrap-file"])


def fill_package_cache() -> None:
    """Puts the cmocka tarball where Meson looks before it asks the network: out of our cache, or out
    of the distribution's source package. The wrap's hash decides in both cases."""
    wrap = wrap_values()
    name, expected = wrap["source_filename"], wrap["source_hash"]
    place = paths.ROOT / "subprojects" / "packagecache" / name
    if place.is_file() and debian.sha256(place) == expected:
        return
    cached = paths.cache() / "downloads" / name
    if not (cached.is_file() and debian.sha256(cached) == expected):
        if not shutil.which("apt-get"):
            return  # Meson then downloads from source_url and checks the same hash.
        with step("fetching the source of cmocka from the distribution"):
            folder = cached.parent / "cmocka-source"
            tarballs = [f for f in debian.download_source("cmocka", folder)
                        if debian.sha256(f) == expected]
            if not tarballs:
                raise Failure("the distribution's cmocka source is not the one subprojects/cmocka.wrap "
                              f"names (sha256 {expected})")
            os.replace(tarballs[0], cached)
            shutil.rmtree(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".part")
    shutil.copyfile(cached, partial)
    os.replace(partial, place)


def setup_arguments(name: str) -> tuple[list[str], dict[str, str]]:
    """What `meson setup` is told for a build, and the environment it needs."""
    env = dict(os.environ)
    if name in NATIVE:
        if NATIVE[name]:
            env.update(CC="clang", CXX="clang++")
        return NATIVE[name], env
    if name == UNIX["x86_64"]:
        return ["-Dunix_module=true", "-Dstrip=true", "--prefix", str(paths.ntke("x86_64"))], env
    if name == UNIX["i386"]:
        return [*_cross_file("i686-linux-gnu"), "-Dunix_module=true", "-Dstrip=true", "--prefix",
                str(paths.ntke("i386"))], env
    return [*_cross_file(paths.ARCHES[name]), "--prefix", str(paths.DIST / name), "--bindir", ".", "--libdir",
            "lib", "-Dstrip=true"], env


def _cross_file(name: str) -> list[str]:
    return ["--cross-file", str(paths.ROOT / "tools" / "cross" / f"{name}.txt")]


def _build_one(name: str, tests: bool, quick: bool) -> None:
    folder = paths.BUILD / name
    arguments, env = setup_arguments(name)
    targets = RUNTIME if name in paths.ARCHES and not tests else []
    # Compiler caches know little of precompiled headers.
    options = {**QUICK, "b_pch": not shutil.which("ccache")} if quick else {**PLAIN, "tests": tests}
    if not (folder / "build.ninja").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # an interrupted set-up leaves an unusable folder
        with step(f"configuring build/{name}"):
            run_quietly(["meson", "setup", folder, *arguments, *_words(options)], cwd=paths.ROOT, env=env)
    elif not quick and (changed := _missing(folder, tests)):
        run_quietly(["meson", "configure", folder, *_words(changed)])
    with step(f"building build/{name}") if _has_work(folder, targets) else _nothing():
        run_quietly(["ninja", "-C", folder, *targets], env=env)
    if name not in NATIVE:
        install(name, tests)
    if name in paths.ARCHES and tests:
        _remove_stale([folder, paths.BUILD / UNIX[name]], paths.DIST / name)


def install(name: str, tests: bool = True) -> None:
    """Puts what a build has made into build/dist, stripped."""
    run_quietly(["meson", "install", "-C", paths.BUILD / name, "--no-rebuild", "--only-changed", "--quiet",
                 *([] if tests else ["--tags", "runtime"])])


def _words(options: dict[str, bool]) -> list[str]:
    return [f"-D{name}={str(value).lower()}" for name, value in options.items()]


def _missing(folder: Path, tests: bool) -> dict[str, bool]:
    """What a build lacks that was set up for who only runs it."""
    known = json.loads((folder / "meson-info" / "intro-buildoptions.json").read_bytes())
    wanted = {name: value for name, value in PLAIN.items() if tests or name != "tests"}
    return {option["name"]: wanted[option["name"]] for option in known
            if option["name"] in wanted and option["value"] != wanted[option["name"]]}


def _has_work(folder: Path, targets: list[str]) -> bool:
    """Would ninja do anything? Then say so, since it may take minutes."""
    return "no work to do" not in run_quietly(["ninja", "-C", folder, "-n", *targets])


class _nothing:  # pylint: disable=invalid-name
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return False


def _remove_stale(folders: list[Path], dist: Path) -> None:
    """A program that is no longer built must not be found by the test runner."""
    installed = set()
    for folder in folders:
        if folder.is_dir():
            listing = run_quietly(["meson", "introspect", "--installed", folder])
            installed |= {os.path.normpath(path) for path in json.loads(listing).values()}
    for path in sorted(dist.rglob("*")):
        if path.is_file() and str(path) not in installed:
            path.unlink()
