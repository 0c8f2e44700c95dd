"""What we take from the distribution: the mirror its apt sources name, and the source packages of
other people's code that the tests need. The machine's own apt configuration is read, never changed:
source entries live in a private configuration that is thrown away."""

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .ui import Failure, run_quietly


@dataclass
class Source:
    """One archive of the machine's apt sources."""
    uri: str
    suites: list[str]
    components: list[str]
    options: dict[str, str] = field(default_factory=dict)  # lower-case names, as in a deb822 stanza

    def is_distribution(self) -> bool:
        """Is this the distribution's own main archive, rather than a security or a vendor's one?"""
        return "main" in self.components and any(re.fullmatch(r"[a-z]+", s) for s in self.suites) \
            and re.search(r"/debian/?$", self.uri) is not None


def _deb822(text: str) -> list[Source]:
    sources = []
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "uris" not in fields or "deb" not in fields.get("types", "").split() \
                or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        options = {key: fields[key] for key in ("signed-by", "trusted", "check-valid-until")
                   if key in fields}
        for uri in fields["uris"].split():
            sources.append(Source(uri, fields.get("suites", "").split(),
                                  fields.get("components", "").split(), options))
    return sources


def _one_line(text: str) -> list[Source]:
    sources = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", line.strip())
        if not match:
            continue
        options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
        kept = {key: value for key, value in options.items()
                if key in ("signed-by", "trusted", "check-valid-until")}
        sources.append(Source(match[2], [match[3]], match[4].split(), kept))
    return sources


def machine_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled binary archive in the machine's apt sources, in apt's own two formats."""
    sources = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            sources += _deb822(text)
        elif path.suffix == ".list":
            sources += _one_line(text)
    return sources


def distribution_source(etc: Path = Path("/etc/apt")) -> Source:
    for source in machine_sources(etc):
        if source.is_distribution():
            return source
    raise Failure("the apt sources of this machine name no Debian archive, so what we take from "
                  "there has to be fetched by hand")


def mirror() -> str:
    return distribution_source().uri


def source_stanza(source: Source) -> str:
    """The deb-src entry that goes with a binary archive."""
    options = "".join(f"{key.title()}: {value}\n" for key, value in source.options.items())
    return (f"Types: deb-src\nURIs: {source.uri}\nSuites: {' '.join(source.suites)}\n"
            f"Components: main\n{options}")


def download_source(package: str, destination: Path) -> list[Path]:
    """Downloads (and apt verifies) a source package's files into `destination`; needs no root."""
    if not shutil.which("apt-get"):
        raise Failure(f"the source of {package} comes from Debian's archive, and there is no apt-get here")
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ws2-apt-") as scratch:
        private = Path(scratch)
        for folder in ("parts", "lists/partial", "cache/archives/partial", "files"):
            (private / folder).mkdir(parents=True)
        (private / "parts" / "source.sources").write_text(source_stanza(distribution_source()))
        options = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null",
                   "-o", f"Dir::Etc::sourceparts={private / 'parts'}",
                   "-o", f"Dir::State::lists={private / 'lists'}",
                   "-o", f"Dir::Cache={private / 'cache'}",
                   # The private folders belong to whoever runs this; apt's own user cannot read them.
                   "-o", f"APT::Sandbox::User={'root' if os.geteuid() == 0 else ''}"]
        run_quietly(["apt-get", *options, "update"])
        files = []
        problem = None
        try:
            run_quietly(["apt-get", *options, "source", "--download-only", package],
                        cwd=private / "files")
        except Failure as failure:
            # A mirror may lack a part nobody needs, such as upstream's signature. The caller knows the
            # hash of what it wants.
            problem = failure
        for path in sorted((private / "files").iterdir()):
            files.append(Path(shutil.move(path, destination / path.name)))
        if problem and not files:
            raise problem
        return files


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
