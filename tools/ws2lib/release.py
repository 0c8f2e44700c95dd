"""`ws2 release`: the archive that users get. It holds what a prefix needs, and setup.sh, which puts it there."""

import hashlib
import io
import lzma
import os
import re
import subprocess
import tarfile
from pathlib import Path

from . import build, paths
from .ui import Failure, say

HELP = """\
Builds the DLLs and packs them into build/release/ws2_32-for-wine-VERSION.tar.xz, with a setup.sh that puts
them into a Wine prefix and takes them out again. One commit gives the same bytes, whoever packs it and when.

examples:
  ws2 release                 the archive, into build/release
  ws2 release --output DIR    into another folder
"""

FOLDER = paths.ROOT / "tools" / "release"
# What is packed beside the programs, with its source.
_TEXTS = {"setup.sh": FOLDER / "setup.sh", "ws2_32.verb": FOLDER / "ws2_32.verb", "README.md": FOLDER / "README.md",
          "CHANGELOG.md": paths.ROOT / "CHANGELOG.md", "LICENSE": paths.ROOT / "LICENSE"}
_EXECUTABLE = ("setup.sh",)
_SUMS = "SHA256SUMS"
# Not all of the window that xz could have: whoever unpacks needs as much memory.
_XZ = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 24}]


def add_arguments(parser) -> None:
    parser.add_argument("--output", type=Path, default=paths.BUILD / "release", metavar="DIR",
                        help="where the archive goes (build/release)")


def main(args) -> int:
    build.build(*paths.ARCHES, tests=False)
    archive = pack(args.output)
    print(archive)
    return 0


def version() -> str:
    """The one in meson.build, which our DLL tells as well."""
    found = re.search(r"^\s*version\s*:\s*'([^']+)'", (paths.ROOT / "meson.build").read_text(), re.MULTILINE)
    if not found:
        raise Failure("meson.build names no version")
    return found[1]


def name() -> str:
    return f"ws2_32-for-wine-{version()}"


def contents() -> dict[str, bytes]:
    """Every file of the archive, by its name there."""
    files = dict(_TEXTS)
    for arch in paths.ARCHES:
        files |= {f"{arch}/ws2_32.dll": paths.dll(arch), f"{arch}/ntke.dll": paths.ntke_halves(arch)[0],
                  f"{arch}/{paths.NTKE_UNIX}": paths.ntke_so(arch),
                  probe(arch): paths.probe(arch)}
    lacking = [str(source) for source in files.values() if not source.is_file()]
    if lacking:
        raise Failure(f"not there: {', '.join(lacking)}")
    found = {file: files[file].read_bytes() for file in sorted(files)}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {file}\n" for file, data in found.items())
    return {**found, _SUMS: sums.encode()}


def probe(arch: str) -> str:
    """Not beside our DLL, which it would load from there."""
    return f"probe/{arch}.exe"


def lay_out(folder: Path) -> None:
    """The files of the archive as they are when it is unpacked in `folder`."""
    for file, data in contents().items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        (folder / file).chmod(_mode(file))


def pack(output: Path) -> Path:
    if _is_changed():
        say("beware: the tree has changes that are in no commit, and they are packed as well")
    archive = output / f"{name()}.tar.xz"
    output.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(archive.name + ".part")
    partial.write_bytes(lzma.compress(_tar(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=_XZ))
    os.replace(partial, archive)
    return archive


def _tar() -> bytes:
    """Nothing of this machine is in it: names are sorted, owner and time are fixed."""
    files, time = contents(), _time()
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(files):
            info = tarfile.TarInfo(f"{name()}/{file}")
            info.size, info.mode, info.mtime = len(files[file]), _mode(file), time
            tar.addfile(info, io.BytesIO(files[file]))
    return result.getvalue()


def _mode(file: str) -> int:
    return 0o755 if file in _EXECUTABLE else 0o644


def _time() -> int:
    """When the commit was made; outside of a repository what SOURCE_DATE_EPOCH says, as elsewhere."""
    told = _git("log", "-1", "--format=%ct") or os.environ.get("SOURCE_DATE_EPOCH", "")
    if not told.isdecimal():
        raise Failure("this is no git repository, so the time of the files is not known: set SOURCE_DATE_EPOCH")
    return int(told)


def _is_changed() -> bool:
    return bool(_git("status", "--porcelain"))


def _git(*words: str) -> str:
    """Nothing, where there is no repository or no git."""
    try:
        done = subprocess.run(["git", "-c", f"safe.directory={paths.ROOT}", "-C", paths.ROOT, *words], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
