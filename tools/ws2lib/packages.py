"""Gets the programs this project is built and tested with. On Debian as root they are installed;
elsewhere the user is told exactly which are missing."""

import os
import shutil
from pathlib import Path

from .ui import Failure, run_quietly, step

# For each purpose: what must be there (a program, one of several names with a bar between them, or a
# file when it begins with a slash), and the Debian package it comes in.
NEEDED = {
    "x86_64": {
        "x86_64-w64-mingw32-g++": "g++-mingw-w64-x86-64",
        "winebuild|winebuild-stable": "wine64-tools",
        "meson": "meson",
        "ninja": "ninja-build",
    },
    "i386": {
        "i686-w64-mingw32-g++": "g++-mingw-w64-i686",
        "winebuild|winebuild-stable": "wine64-tools",
        "meson": "meson",
        "ninja": "ninja-build",
    },
    "unix": {
        "g++": "g++",
        "winebuild|winebuild-stable": "wine64-tools",
        "meson": "meson",
        "ninja": "ninja-build",
    },
    "unix-i386": {
        "/usr/lib/gcc/*/*/32/libgcc.a": "g++-multilib",
        "/usr/include/*/*/*/32/bits/c++config.h": "g++-multilib",
        "winebuild|winebuild-stable": "wine64-tools",
        "meson": "meson",
        "ninja": "ninja-build",
    },
    "native": {
        "g++": "g++",
        "clang++": "clang",
        "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan-x86_64.a": "libclang-rt-14-dev",
        "meson": "meson",
        "ninja": "ninja-build",
    },
    "wine": {
        "wine": "wine",
        "/usr/lib/wine/wine64": "wine64",
    },
    "format": {
        "clang-format": "clang-format",
    },
    "lint": {
        "clang-format": "clang-format",
        "clang-tidy": "clang-tidy",
        "clangd": "clangd",
    },
    "clients": {
        "npm": "npm",
        "cmake": "cmake",
        "make": "make",
        "cc": "gcc",
    },
    "trace": {
        "chromium|chromium-browser": "chromium",
    },
    "bench-go": {
        "go": "golang-go",
    },
    "bench-node": {
        "npm": "npm",
        "node": "nodejs",
    },
    "bench-postgres": {
        "npm": "npm",
        "/usr/lib/postgresql/*/bin/pgbench": "postgresql",
    },
    "matrix": {
        "debootstrap": "debootstrap",
        "unshare": "util-linux",
        "mount": "mount",
    },
}


def _is_there(needed: str) -> bool:
    if needed.startswith("/"):
        return any(Path("/").glob(needed[1:]))
    return any(shutil.which(name) for name in needed.split("|"))


def missing(*purposes: str) -> dict[str, str]:
    """What is needed and not there, with the package that brings it."""
    return {name: package for purpose in purposes for name, package in NEEDED[purpose].items()
            if not _is_there(name)}


def ensure(*purposes: str) -> None:
    """Returns when everything for `purposes` is installed; raises Failure where we cannot."""
    lacking = missing(*purposes)
    if not lacking:
        return
    packages = sorted(set(lacking.values()))
    command = f"apt-get install {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise Failure("this is not Debian, so please install: " + ", ".join(sorted(lacking))
                      + f" (on Debian: {command})")
    if os.geteuid() != 0:
        raise Failure(f"missing: {', '.join(sorted(lacking))}. As root: {command}")
    install(packages)
    still = missing(*purposes)
    if still:
        raise Failure(f"still missing after installing {', '.join(packages)}: {', '.join(still)}")


def install(packages: list[str]) -> None:
    """Installs Debian packages as root, without a question."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with step(f"installing {' '.join(packages)}"):
        run_quietly(["apt-get", "-q", "update"], env=env)
        run_quietly(["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages], env=env)
