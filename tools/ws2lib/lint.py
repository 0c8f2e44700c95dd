"""The side `lint` of `ws2 test`: what a reader would say of the C++ that no test says.

Every file is formatted, every header compiles alone, clang-tidy has nothing to say (.clang-tidy), and an editor that
has clangd reads each half (.clangd).
"""

import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import build, packages, paths
from .report import Report

# The builds whose compile commands tell how a file is meant, those of the Linux code first.
BUILDS = ["native", build.UNIX["x86_64"], "x86_64"]
FOLDERS = ("dlls", "include", "tests", "tools/demo")
# Of other languages or compilers, or for programs that are none of this tree.
# The suites want a library that clang-tidy 14 does not know, and one file a way to make objects.
TIDY = ("dlls/", "tools/demo/")
NOT_TIDY = ("dlls/ntke/unix/host_threads.cpp",)
# A file of each kind that .clangd tells apart.
EDITED = ["dlls/ws2_32/select.cpp", "dlls/ntke/pe/main.cpp", "dlls/ntke/afd/poll.cpp", "dlls/ntke/unix/entry.cpp",
          "tests/stress/port_storm.cpp", "tests/bench/event.cpp"]
LEFT_OUT = ("tests/clients/", "tests/fuzz/")


@dataclass
class Command:
    """How a file is compiled."""
    folder: str
    words: list[str]  # without the file and what is written
    build: str


def run(report: Report) -> None:
    packages.ensure("lint")
    commands = commands_of_builds()
    _count(report, "format", sources(".cpp", ".h"), format_problem)
    _count(report, "headers alone", sources(".h"), lambda file: header_problem(file, commands))
    _count(report, "clang-tidy", [file for file in sources(".cpp") if file in commands and file.startswith(TIDY)
                                  and file not in NOT_TIDY],
           lambda file: _tidy(file, commands[file]))
    _count(report, "clangd", EDITED, clangd_problem)


def sources(*suffixes: str) -> list[str]:
    found = [str(path.relative_to(paths.ROOT)) for folder in FOLDERS for path in (paths.ROOT / folder).rglob("*")
             if path.suffix in suffixes and path.is_file()]
    return sorted(file for file in found if not file.startswith(LEFT_OUT))


def _count(report: Report, what: str, files: list[str], check) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, problem in zip(files, pool.map(check, files)):
            if problem:
                report.fail(f"{what}: {file}", "see below", problem.splitlines())
            else:
                report.ok()


def commands_of_builds() -> dict[str, Command]:
    """By the file's name in the tree; of several builds that are there the first."""
    found: dict[str, Command] = {}
    for name in BUILDS:
        listing = paths.BUILD / name / "compile_commands.json"
        for entry in json.loads(listing.read_bytes()) if listing.is_file() else []:
            file = os.path.relpath(os.path.normpath(os.path.join(entry["directory"], entry["file"])), paths.ROOT)
            found.setdefault(file, Command(entry["directory"], _plain(shlex.split(entry["command"])), name))
    return found


def _plain(words: list[str]) -> list[str]:
    """Without the cache, what is written, what a quick build has precompiled, and the file itself, which is the
    last."""
    words = words[1:] if os.path.basename(words[0]) == "ccache" else words
    kept, skip = [], False
    for word in words[:-2]:  # -c FILE
        if skip or word in ("-MQ", "-MF", "-o", "-include"):
            skip = not skip
        elif word not in ("-MD",):
            kept.append(word)
    return kept


def _run(words: list[str], folder: str | Path, text: str = "") -> str:
    done = subprocess.run(words, cwd=folder, check=False, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.stdout.strip() or "it failed" if done.returncode else ""


def format_problem(file: str) -> str:
    return _run(["clang-format", "--dry-run", "--Werror", file], paths.ROOT)


def clangd_problem(file: str) -> str:
    # Two lines: the rest of what it tries there is what an editor would ask for.
    return _run(["clangd", f"--check={file}", "--check-lines=1-2", "--log=error"], paths.ROOT)


def header_problem(header: str, commands: dict[str, Command]) -> str:
    """As the sources beside it are compiled; those of no folder with sources are for Windows code as well."""
    beside = [file for file in commands if Path(file).parent == Path(header).parent]
    command = commands[min(beside, default="dlls/ws2_32/select.cpp")]
    return _run([*command.words, "-fdiagnostics-color=never", "-fsyntax-only", "-x", "c++", "-"], command.folder,
                f'#include "{paths.ROOT / header}"\n')


def _tidy(file: str, command: Command) -> str:
    words = [f"--extra-arg={word}" for word in _for_clang(command)]
    return _run(["clang-tidy", "--quiet", "-p", paths.BUILD / command.build, *words, file], paths.ROOT)


def _for_clang(command: Command) -> list[str]:
    """What clang does not know of the compiler that a file is meant for."""
    if command.build != "x86_64":
        return []
    told = subprocess.run([command.words[0], "-E", "-x", "c++", "-v", "/dev/null"], check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr
    searched = re.search(r"search starts here:\n(.*?)End of search list", told, re.DOTALL)
    folders = [os.path.normpath(line.strip()) for line in searched[1].splitlines() if line.startswith(" ")]
    ours = [folder for folder in folders if not re.search(r"/gcc/[^/]+/[^/]+/include(-fixed)?$", folder)]
    return [f"--target={paths.ARCHES['x86_64']}", "-nostdinc++", *(f"-isystem{folder}" for folder in ours),
            "-Wno-unknown-warning-option", "-Wno-ignored-attributes", "-Wno-error"]
