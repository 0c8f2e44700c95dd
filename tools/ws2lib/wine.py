"""Runs Windows programs: which Wine, in which prefix, with which ws2_32.dll.

A `Wine` is one installation: the machine's own, or one in a root of `ws2 matrix`. A `Prefix` is a
prefix of it. `fresh_prefix(wine, dll)` gives a throw-away one, with our DLL in it on ntke
(`dll="ntke"`) or on Wine's server (`dll="host"`), or without (`dll="builtin"`). Everything is bounded:
a program that hangs is ended, and said to hang.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import packages, paths, pe
from .ui import Failure, exclusive, run_quietly, step

WINE64 = "/usr/lib/wine/wine64"  # Debian's 64-bit loader
# What a prefix for tests does without: menu entries, .NET, HTML, and the debugger after a crash.
QUIET_OVERRIDES = "winemenubuilder.exe=;mscoree=;mshtml=;winedbg.exe="


class Wine:
    """The Wine installed on this machine."""

    user: int | None = None  # who its programs run as, if that is not who we are

    def __init__(self):
        packages.ensure("wine")
        text = run_quietly(["wine", "--version"], env=dict(os.environ, WINEDEBUG="-all"))
        match = re.search(r"wine-(\d+\.\d+)", text)
        if not match:
            raise Failure(f"`wine --version` says {text.strip()!r}, which is no version")
        self.version = match[1]

    def arches(self) -> list[str]:
        """The architectures of the programs this Wine runs."""
        return arches_here()

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        """The command line that starts `words` where this Wine lives; `cwd` is the caller's, `arch` the
        kind of program that is to run."""
        # pylint: disable=unused-argument
        return [*self._as_user(), *words]

    def complete_ntke(self, prefix: "Prefix") -> None:
        """Adds to an installed prefix what this Wine needs beside it to give ntke to all its programs."""

    def _as_user(self) -> list[str]:
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []


def arches_here() -> list[str]:
    """The architectures of the programs that the Wine of this machine runs."""
    folders = [Path(f"/usr/lib/{triplet}/wine/{arch}-windows") for triplet, arch in
               (("x86_64-linux-gnu", "x86_64"), ("i386-linux-gnu", "i386"))]
    found = {f.name.removesuffix("-windows") for f in folders
             if (f / "ntdll.dll").is_file()}
    return [arch for arch in paths.ARCHES if arch in found] or ["x86_64"]


class WineWithin(Wine):
    """A Wine whose commands run within another command."""

    def __init__(self, wine: Wine, around: list[str]):
        # pylint: disable=super-init-not-called
        self._wine = wine
        self._around = around
        self.version = wine.version

    def arches(self) -> list[str]:
        return self._wine.arches()

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        return [*self._around, *self._wine.command(words, cwd, arch)]


class RootWine(Wine):
    """A Wine in a root of its own, as `ws2 matrix` makes it. Needs root: a command runs in a mount
    namespace that ends with it, so nothing stays mounted, whatever happens.

    Where the kernel runs no 32-bit programs, those run in QEMU's user mode. It is registered in a user
    namespace of the command, so the machine's own list of program formats stays as it is."""

    # Positional: the root, the emulator or "", the folder to start in, how many folders to show inside,
    # these, the command.
    MOUNT = r"""
root=$1 emulator=$2 cwd=$3 count=$4; shift 4
if [ "$emulator" ]; then
    mount --rbind /proc "$root/proc"
    mount -t binfmt_misc none "$root/proc/sys/fs/binfmt_misc"
    magic='\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x03\x00'
    mask='\xff\xff\xff\xff\xff\xfe\xfe\xfc\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":i386:M::$magic:$mask:$emulator:FP" >"$root/proc/sys/fs/binfmt_misc/register"
else
    mount -t proc proc "$root/proc"
fi
mount --rbind /dev "$root/dev"
mount --bind /tmp "$root/tmp"
for file in /etc/hosts /etc/resolv.conf /etc/hostname; do
    if [ -f "$file" ]; then
        [ -f "$root$file" ] || { rm -f "$root$file"; : >"$root$file"; }
        mount --bind "$file" "$root$file"
    fi
done
while [ "$count" -gt 0 ]; do
    mkdir -p "$root$1"; mount --bind "$1" "$root$1"; shift; count=$((count - 1))
done
"""
    ENTER = r"""
exec chroot "$root" env -C "$cwd" "$@"
"""
    SCRIPT = MOUNT + ENTER
    EMULATOR = "usr/bin/qemu-i386"
    LOADER = "/usr/lib/wine/wine"

    def __init__(self, root: Path, version: str, emulates_32bit: bool):
        # pylint: disable=super-init-not-called
        self.root = root
        self.version = version
        self.emulates_32bit = emulates_32bit

    def arches(self) -> list[str]:
        return list(paths.ARCHES)

    def command(self, words: list[str], cwd: Path, arch: str = "x86_64") -> list[str]:
        # Debian's `wine` prefers the 32-bit loader, which can start both kinds of programs where the
        # kernel can. A 64-bit program has no business in the emulator, nor in its namespace.
        emulated = self.emulates_32bit and (arch == "i386" or words[0] == "wineboot")
        loader = "/usr/lib/wine/wine64" if self.emulates_32bit and not emulated else self.LOADER
        if words[0] == "wine":
            words = [loader, *words[1:]]
        elif words[0] == "wineboot":
            words = ["/usr/lib/wine/wine64", *words]
        shown = [str(paths.ROOT), str(prefixes_folder())]
        # What real programs consist of lies beside them. The prefix's server opens files as well, and sees only
        # what was shown when it started: before the first of these programs is there.
        for name in ("bench", "clients", "downloads"):
            (paths.cache() / name).mkdir(parents=True, exist_ok=True)
            shown.append(str(paths.cache() / name))
        shown += [str(folder) for folder in _folders_of(words, cwd)
                  if not any(_is_below(folder, Path(known)) for known in [*shown, "/tmp"])]
        return ["unshare", *(["--user", "--map-root-user"] if emulated else []), "--mount", "--propagation",
                "private", "--", "sh", "-euc", self.SCRIPT, "sh", str(self.root),
                str(self.root / self.EMULATOR) if emulated else "", str(cwd), str(len(shown)), *shown,
                "env", f"WINELOADER={loader}", *self._as_user(), *words]


class NewWow64Wine(RootWine):
    """A Wine in a root, without its 32-bit Linux half: it runs 32-bit programs over the 64-bit one."""

    HIDE = r"""
mount --bind /dev/null "$root/usr/lib/wine/wine"
mount --bind "$root/usr/lib/i386-linux-gnu/wine/i386-windows" "$root/usr/lib/x86_64-linux-gnu/wine/i386-windows"
"""
    SCRIPT = RootWine.MOUNT + HIDE + RootWine.ENTER
    LOADER = "/usr/lib/wine/wine64"

    def complete_ntke(self, prefix: "Prefix") -> None:
        """A pair whose Windows half is a 32-bit module, which no install lays out."""
        lib = prefix.folder / "lib"
        for half in (paths.NTKE_FILES["i386"][0], paths.NTKE_FILES["x86_64"][1]):
            (lib / half).parent.mkdir(parents=True)
            shutil.copy(paths.ntke(half.partition("-")[0]) / half, lib / half)
        shutil.copy(paths.ntke_halves("i386")[0], prefix.folder / "drive_c/windows/syswow64")
        prefix.settings["WINEDLLPATH"] = str(lib)


def _is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _folders_of(words: list[str], cwd: Path) -> list[Path]:
    """The folders that must be there inside a root for a command to find its files."""
    folders = [cwd.resolve()]
    for word in words:
        path = Path(word)
        if path.is_absolute() and path.is_file() and not _is_below(path, Path("/usr")):
            folders.append(path.parent)
    return list(dict.fromkeys(folders))


@dataclass
class Outcome:
    """How a program ended. `exit_code` is None when it hung and was ended by us."""
    exit_code: int | None
    output: str
    seconds: float


class Prefix:
    """A Wine prefix. Its folder must not move while a program runs in it."""

    def __init__(self, wine: Wine, folder: Path):
        self.wine = wine
        self.folder = folder
        self.settings: dict[str, str] = {}  # of our DLL, for its programs

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """For tests: no display, no debug output, nothing of the caller's Wine settings or ours."""
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(("WINE", "WS2_32_")) and key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        env.update(WINEPREFIX=str(self.folder), WINEDEBUG="-all", WINEDLLOVERRIDES=QUIET_OVERRIDES)
        env.update(self.settings)
        env.update(extra or {})
        return env

    def command(self, program, *arguments, cwd: Path | None = None, arch: str | None = None) -> list[str]:
        """Of a program of Wine's own, which is no file to us, `arch` tells which of the two is meant."""
        # `wine` may be the 32-bit loader, whose system32 is that of 32-bit programs.
        loader = WINE64 if arch == "x86_64" else "wine"
        if Path(program).is_file():
            loader, arch = "wine", pe.machine(Path(program))
        return self.wine.command([loader, str(program), *map(str, arguments)], cwd or Path.cwd(),
                                 arch or "x86_64")

    def create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            run_quietly(self.wine.command(["wineboot", "-i"], self.folder), cwd=self.folder,
                        env=self.environment(), timeout=1800)
        finally:
            self.stop()

    def serve(self) -> None:
        """Starts a server that stays until stop(). By itself a server ends with its last program, and a
        program that starts in that moment is turned away."""
        subprocess.run(self.wine.command(["wineserver", "-p"], self.folder), env=self.environment(),
                       cwd=self.folder, timeout=60, check=False, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """Ends every process of the prefix and its server, and waits until the registry is on disk."""
        env = self.environment()
        for option in ("-k", "-w"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(self.wine.command(["wineserver", option], self.folder), env=env,
                               cwd=self.folder, timeout=60, check=False, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, program, *arguments, timeout: float, env: dict[str, str] | None = None,
            cwd: Path | None = None, ours: bool | None = None, descriptors: int | None = None,
            arch: str | None = None) -> Outcome:
        """Runs a program to its end and returns what it wrote. After `timeout` seconds it is taken
        to hang, and everything in the prefix is ended. With `ours` the outcome is only accepted from
        a program that said which ws2_32.dll it got (see proof_of_library). `descriptors` is how many
        the program may have open, `arch` as for command()."""
        cwd = cwd or Path.cwd()
        limit = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
        start = time.monotonic()
        # A file and not a pipe: what Wine starts in the background keeps our end of a pipe open.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                limit + self.command(program, *arguments, cwd=cwd, arch=arch), cwd=cwd, env=self.environment(env),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)
            try:
                code: int | None = process.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    self.stop()
                    self.serve()
            output.seek(0)
            text = output.read().decode(errors="replace").replace("\r\n", "\n")
        outcome = Outcome(code, text, time.monotonic() - start)
        if ours is not None and code is not None:
            proof_of_library(text, ours)
        return outcome


def library_of(output: str) -> tuple[str, str, str]:
    """Path, product and version of the ws2_32.dll that a program of ours tells it has loaded."""
    return _library_line(output).groups()


def proof_of_library(output: str, ours: bool) -> str:
    """The line in which a program of ours tells the ws2_32.dll it loaded; Failure if that is the
    wrong one. A test on the wrong DLL proves nothing, whatever it says."""
    match = _library_line(output)
    expected = paths.PRODUCT if ours else paths.BUILTIN_PRODUCT
    if match[2] != expected:
        raise Failure(f"the program loaded {match[1]} of {match[2]!r}, and {expected!r} was meant")
    return match[0]


def _library_line(output: str) -> re.Match:
    match = re.search(r"^# ws2_32: (.*), (.*), (.*)$", output, re.MULTILINE)
    if not match:
        raise Failure("the program did not say which ws2_32.dll it loaded; it wrote:\n" + output[-2000:])
    return match


def proof_of_kernel(output: str) -> str:
    """The kernel the probe found at work under our DLL: "ntke" or "host"."""
    return kernel_and_module(output)[0]


def kernel_and_module(output: str) -> tuple[str, str | None]:
    """And the module by which ntke was reached."""
    match = re.search(r"^# kernel: (?:(host)|(ntke), (.+))$", output, re.MULTILINE)
    if not match:
        raise Failure("the probe did not say which kernel serves it; it wrote:\n" + output[-2000:])
    return match[1] or match[2], match[3]


def proof_of_system(output: str, wine: Wine) -> None:
    """Failure unless the NT-level suite says that it met the ntdll of this Wine."""
    if f"# system: ntdll of Wine {wine.version}" not in output.splitlines():
        raise Failure(f"the program did not meet the ntdll of Wine {wine.version}; it wrote:\n"
                      + output[-2000:])


def prefixes_folder() -> Path:
    folder = paths.cache() / "prefixes"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def template(wine: Wine) -> Path:
    """A pristine prefix of this Wine, made once and only ever copied."""
    folder = prefixes_folder() / f"template-{wine.version}"
    if folder.is_dir():
        return folder
    with exclusive(prefixes_folder() / f"template-{wine.version}.lock", "a new prefix"):
        if not folder.is_dir():
            with step(f"making a prefix of Wine {wine.version}"):
                partial = prefixes_folder() / f"template-{wine.version}.part"
                shutil.rmtree(partial, ignore_errors=True)
                Prefix(wine, partial).create()
                if not (partial / "user.reg").is_file():
                    raise Failure(f"Wine {wine.version} made no prefix in {partial}")
                (partial / "wineserver").unlink(missing_ok=True)
                partial.rename(folder)
    return folder


def copy_prefix(source: Path, destination: Path, share: bool = True) -> None:
    """Copies a prefix. With `share` Wine's own programs are hard links: for prefixes that stay with us, since
    another version of Wine writes its own into those very files."""
    def copy(src: str, dst: str, *, follow_symlinks=True) -> str:
        if share and "/drive_c/windows/" in src and src.endswith((".dll", ".exe", ".drv", ".nls", ".ttf")):
            with contextlib.suppress(OSError):  # on another disk
                os.link(src, dst, follow_symlinks=follow_symlinks)
                return dst
        return shutil.copy2(src, dst, follow_symlinks=follow_symlinks)

    shutil.copytree(source, destination, symlinks=True, copy_function=copy)


@contextlib.contextmanager
def fresh_prefix(wine: Wine, dll: str = "builtin", serve: bool = True, arch: str = "x86_64"):
    """A prefix of its own for one piece of work, gone with it. `dll` is "ntke", "host" or "builtin", and ours
    are proved by a probe of that architecture; without `serve` the caller sees to the server itself."""
    _remove_abandoned()
    holder = Path(tempfile.mkdtemp(prefix=f"fresh-{os.getpid()}-", dir=prefixes_folder()))
    prefix = Prefix(wine, holder / "prefix")
    try:
        copy_prefix(template(wine), prefix.folder)
        if dll != "builtin":
            from . import prefix as installer  # pylint: disable=import-outside-toplevel
            installer.install(prefix.folder, ntke=dll == "ntke")
            if dll == "ntke":
                wine.complete_ntke(prefix)
        if serve:
            prefix.serve()
            if dll != "builtin":
                _prove(prefix, dll, arch)
        yield prefix
    finally:
        prefix.stop()
        shutil.rmtree(holder, ignore_errors=True)


def _prove(prefix: Prefix, kernel: str, arch: str) -> None:
    """Every later program of this prefix runs in the same environment as the probe."""
    outcome = prefix.run(paths.probe(arch), timeout=600, ours=True)
    found = proof_of_kernel(outcome.output)
    if found != kernel:
        raise Failure(f"our DLL runs on the kernel {found} in a prefix made for {kernel}")


def _remove_abandoned() -> None:
    """Throws away what commands that were killed have left."""
    for folder in prefixes_folder().glob("fresh-*-*"):
        with contextlib.suppress(ValueError, PermissionError):
            try:
                os.kill(int(folder.name.split("-")[1]), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
