"""Cross-builds of programs that come as source. A build is kept in the cache folder under a name that
follows from everything it depends on."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from ws2lib import paths, ui

from .report import note

_TOOLCHAIN = """\
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR {processor})
set(CMAKE_C_COMPILER {target}-gcc)
set(CMAKE_RC_COMPILER {target}-windres)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
add_compile_definitions(__USE_MINGW_ANSI_STDIO)
"""


def built_with_cmake(name: str, source: Path, options: list[str], programs: dict[str, str],
                     arch: str | None) -> Path:
    """The folder with `programs` (target name to path in the build folder), built when it is not
    there yet: for Windows of that architecture, or for this machine."""
    toolchain = _toolchain(arch) if arch else None
    recipe = repr((name, source.name, options, sorted(programs.items()), toolchain))
    folder = paths.cache() / "clients" / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    for tool in ["cmake", "make", f"{paths.ARCHES[arch]}-gcc" if arch else "cc"]:
        if not shutil.which(tool):
            raise RuntimeError(f"{tool} is needed to build {name}")
    with ui.exclusive(folder.with_suffix(".lock"), f"the build of {name}"):
        if not folder.exists():
            note(f"# building {name}")
            _build(folder, source, options, programs, toolchain)
    return folder


def _toolchain(arch: str) -> str:
    return _TOOLCHAIN.format(target=paths.ARCHES[arch], processor=paths.ARCHES[arch].partition("-")[0])


def _build(folder: Path, source: Path, options: list[str], programs: dict[str, str],
           toolchain: str | None) -> None:
    """Builds in a folder that stays until all is done, so that an interrupted build goes on where it
    stood; the results appear under their name when they are whole."""
    tree = folder.with_suffix(".build")
    results = tree / "results"
    results.mkdir(parents=True, exist_ok=True)
    if toolchain:
        file = tree / "mingw.cmake"
        file.write_text(toolchain)
        options = [f"-DCMAKE_TOOLCHAIN_FILE={file}", *options]
    _run(["cmake", "-S", str(source), "-B", str(tree), "-DCMAKE_BUILD_TYPE=Release", *options])
    _run(["make", "-C", str(tree), f"-j{os.cpu_count() or 1}", *programs])
    for path in programs.values():
        shutil.copy2(tree / path, results)
    results.rename(folder)
    shutil.rmtree(tree)


def bcryptprimitives_beside(exe: Path) -> None:
    """Gives a program the one function of bcryptprimitives.dll it needs; Wine 8.0 has no such DLL.
    Programs find it because Windows looks beside the executable first."""
    target = exe.parent / "bcryptprimitives.dll"
    if target.exists():
        return
    source = Path(__file__).parents[1] / "scripts" / "bcryptprimitives.c"
    scratch = exe.parent / f"bcryptprimitives.{os.getpid()}.tmp"
    _run(["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-Wall", "-Werror", "-o", str(scratch),
          str(source), "-ladvapi32"])
    scratch.rename(target)


def _run(command: list[str]) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace")
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout[-3000:]}")
