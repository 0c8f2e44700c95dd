"""The programs, in the order they are run. Each module has CASES, the names of its cases, and
prepare(wine), which gets the program and returns {name: function}."""

from . import bun, deno, node

PROGRAMS = {
    "node": node,
    "deno": deno,
    "bun": bun,
}
