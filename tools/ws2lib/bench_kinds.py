"""The kinds of Windows programs `ws2 bench` measures: which Wine runs them, and what of the build they take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import matrix, paths, wine
from .ui import Failure


@dataclass(frozen=True)
class Kind:
    """`arch` is that of the program and of our DLL, `system` the folder of a prefix where these DLLs lie."""
    arch: str
    system: str
    builds: tuple[str, ...]
    get_wine: Callable[[], wine.Wine]
    remark: str = ""                # what a reader of the figures has to know
    has_mixed_pair: bool = False    # 32-bit programs over 64-bit Linux code reach ntke by a pair of files

    def dll(self) -> dict[str, Path]:
        return {"ws2_32.dll": paths.dll(self.arch)}

    def ntke(self) -> dict[str, Path]:
        """What lies beside our DLL; the pair is not there."""
        return {} if self.has_mixed_pair else {paths.NTKE_UNIX: paths.ntke_so(self.arch)}


def _wine_for_32_bit() -> wine.Wine:
    """The machine's own where it runs such programs, else that of the matrix."""
    if "i386" in wine.arches_here():
        return wine.Wine()
    if not matrix.runs_32bit():
        raise Failure("this machine's kernel runs no 32-bit programs, and how long emulated ones take says nothing")
    return _of_matrix(matrix.get)


def _of_matrix(get: Callable[[], wine.RootWine]) -> wine.Wine:
    if reason := matrix.why_not():
        raise Failure(reason)
    return get()


_REMARK = "32-bit programs (native: 64-bit)"

# By the value of --arch.
KINDS = {
    "x86_64": Kind("x86_64", "system32", ("x86_64", "native"), wine.Wine),
    "i386": Kind("i386", "syswow64", ("i386", "native"), _wine_for_32_bit, _REMARK),
    "i386-new-wow64": Kind("i386", "syswow64", ("i386", "x86_64", "native"),
                           lambda: _of_matrix(matrix.get_new_wow64), f"{_REMARK} on new WoW64", has_mixed_pair=True),
}
