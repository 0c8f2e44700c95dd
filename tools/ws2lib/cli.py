"""The verbs of tools/ws2 and their help."""

import argparse
import importlib
import sys

from . import paths
from .ui import Failure, advice, say

DESCRIPTION = """\
Builds a ws2_32.dll for Wine, runs Windows programs on it, and tests it. Sets up what it needs on
Debian; says what is missing elsewhere.
"""

EXAMPLES = """\
examples:
  ws2 run                          the demo: an event-driven echo server and 32 clients
  ws2 run program.exe arguments    a Windows program of yours, on our DLL
  ws2 trace program.exe arguments  the same, and a page that shows what it does on the network
  ws2 test                         build and run every test
  ws2 prefix install ~/.wine       add the DLL to a Wine prefix of yours (`prefix remove` takes it out)

`ws2 VERB --help` tells more about each verb.
"""

# Verb, its module in this package, one line. A module has HELP, add_arguments(parser), main(args).
VERBS = [
    ("build", "build", "build the DLL and all programs"),
    ("run", "run", "run a Windows program, or the demo, on our DLL"),
    ("trace", "trace", "show what a program does on the network, and what is wrong with it"),
    ("test", "testing", "build and run every test"),
    ("bench", "bench", "measure our DLL against Wine's own"),
    ("report", "conformance_report", "the conformance matrix as Markdown and HTML"),
    ("matrix", "matrix", "the suites on other Wines than the machine's own"),
    ("prefix", "prefix", "add the DLL to a Wine prefix of yours, or take it out"),
    ("release", "release", "pack the archive that users get"),
]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ws2", description=DESCRIPTION, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, module_name, line in VERBS:
        module = importlib.import_module(f".{module_name}", __package__)
        sub = verbs.add_parser(verb, help=line, description=module.HELP,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    return parser


def main(arguments: list[str]) -> int:
    """Runs one verb; the result is the exit code of the command."""
    # A prefix may have any bytes in its name, and they come out as they went in.
    sys.stdout.reconfigure(errors="surrogateescape")
    args = _parser().parse_args(arguments)
    try:
        return args.main(args)
    except Failure as failure:
        say(str(failure))
        return 1
    except OSError as error:
        if not (told := advice(error)):
            raise
        say(f"{error}{told}. What is built goes to {paths.BUILD}, and what is kept to {paths.cache()}: "
            "XDG_CACHE_HOME names another place for the latter")
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
