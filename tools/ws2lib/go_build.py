"""Programs in Go of one source file. The folder of a build is named by everything that went into it, so
it is built once."""

import hashlib
import os
import shutil
from pathlib import Path

from . import paths
from .ui import exclusive, run_quietly, step


# What Go calls our architectures.
ARCHES = {"x86_64": "amd64", "i386": "386"}


def built_with_go(source: Path, folder: Path, systems: dict[str, str]) -> Path:
    """The folder beside `folder` with the program for each of `systems`: GOOS/GOARCH to file name."""
    version = run_quietly(["go", "version"])
    recipe = hashlib.sha256(version.encode() + source.read_bytes() + repr(systems).encode()).hexdigest()[:12]
    folder = folder.with_name(f"{folder.name}-{recipe}")
    with exclusive(folder.with_suffix(".lock"), f"the build of {source.name}"):
        if not folder.exists():
            with step(f"building {source.name}"):
                scratch = folder.with_suffix(".part")
                shutil.rmtree(scratch, ignore_errors=True)
                for system, name in systems.items():
                    os_name, _, arch = system.partition("/")
                    env = dict(os.environ, GOOS=os_name, GOARCH=arch, CGO_ENABLED="0", GOFLAGS="-trimpath",
                               GOCACHE=str(paths.cache() / "go-build"))
                    run_quietly(["go", "build", "-o", scratch / name, source], env=env)
                scratch.rename(folder)
    return folder
