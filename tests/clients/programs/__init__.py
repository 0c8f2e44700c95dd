"""The programs, in the order they are run. Each module has CASES, the names of its cases, and
prepare(wine), which gets the program and returns {name: function}."""

from . import bun, esbuild, node, plink

PROGRAMS = {
    "plink": plink,
    "node": node,
    "esbuild": esbuild,
    "bun": bun,
}
