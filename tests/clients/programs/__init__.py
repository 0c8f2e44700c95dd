"""The programs, in the order they are run. Each module has CASES, the names of its cases, and
prepare(wine), which gets the program and returns {name: function}."""

from . import bun, curl, esbuild, go, go_unix, node, plink, postgres, webrtc, wepoll, wget

PROGRAMS = {
    "plink": plink,
    "curl": curl,
    "wget": wget,
    "postgres": postgres,
    "node": node,
    "esbuild": esbuild,
    "bun": bun,
    "go": go,
    "go_unix": go_unix,
    "wepoll": wepoll,
    "webrtc": webrtc,
}

# Of those that are there for one kind of Windows only.
ARCHES_OF = {"postgres": ["x86_64"], "bun": ["x86_64"], "webrtc": ["x86_64"]}
