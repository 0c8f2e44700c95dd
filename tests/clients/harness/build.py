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
    recipe = (name, source.name, options, sorted(programs.items()), toolchain)

    def build(tree: Path) -> None:
        settings = options
        if toolchain:
            file = tree / "mingw.cmake"
            file.write_text(toolchain)
            settings = [f"-DCMAKE_TOOLCHAIN_FILE={file}", *options]
        _run(["cmake", "-S", str(source), "-B", str(tree), "-DCMAKE_BUILD_TYPE=Release", *settings])
        _run(["make", "-C", str(tree), _jobs(), *programs])

    return _built(name, recipe, ["cmake", "make", f"{paths.ARCHES[arch]}-gcc" if arch else "cc"],
                  build, list(programs.values()))


def built_with_configure(name: str, source: Path, options: list[str], results: list[str], arch: str) -> Path:
    """The same for a source with a `configure` of its own: the folder with `results`, which are paths in
    the build folder, for Windows."""
    target = paths.ARCHES[arch]

    def build(tree: Path) -> None:
        if not (tree / "config.status").exists():
            _run([str(source / "configure"), f"--host={target}", "--disable-dependency-tracking", *options], tree)
        _run(["make", "-C", str(tree), _jobs()])

    return _built(name, (name, source.name, options, results, target), ["make", f"{target}-gcc"], build, results)


def built_with_compiler(name: str, sources: list[Path], libraries: list[str], arch: str) -> Path:
    """The folder with the program NAME.exe of these C files, whose folders have its headers. Those of the
    system may be spelled as on Windows."""
    compiler = f"{paths.ARCHES[arch]}-gcc"
    spelled = Path(__file__).parents[1] / "scripts" / "spelled"
    command = [compiler, "-O2", "-static", *dict.fromkeys(f"-I{source.parent}" for source in sources), f"-I{spelled}",
               *map(str, sources), *(f"-l{library}" for library in libraries)]
    recipe = (name, [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources], libraries, compiler)
    return _built(name, recipe, [compiler], lambda tree: _run([*command, "-o", str(tree / f"{name}.exe")]),
                  [f"{name}.exe"])


def _built(name: str, recipe: tuple, tools: list[str], build, results: list[str]) -> Path:
    folder = paths.cache() / "clients" / f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    for tool in tools:
        if not shutil.which(tool):
            raise RuntimeError(f"{tool} is needed to build {name}")
    with ui.exclusive(folder.with_suffix(".lock"), f"the build of {name}"):
        if not folder.exists():
            note(f"# building {name}")
            _build(folder, build, results)
    return folder


def _jobs() -> str:
    return f"-j{os.cpu_count() or 1}"


def _toolchain(arch: str) -> str:
    return _TOOLCHAIN.format(target=paths.ARCHES[arch], processor=paths.ARCHES[arch].partition("-")[0])


def _build(folder: Path, build, results: list[str]) -> None:
    """Builds in a folder that stays until all is done, so that an interrupted build goes on where it
    stood; the results appear under their name when they are whole."""
    tree = folder.with_suffix(".build")
    whole = tree / "results"
    whole.mkdir(parents=True, exist_ok=True)
    build(tree)
    for path in results:
        shutil.copy2(tree / path, whole)
    whole.rename(folder)
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


def _run(command: list[str], folder: Path | None = None) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", cwd=folder)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout[-3000:]}")
