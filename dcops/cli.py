"""The command line: ``dcops COMMAND``. Exit codes: 0 fine, 1 the site or the world is wrong, 2 usage."""

import argparse
import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from dcops.errors import FULL, in_words
from dcops.standard_streams import let_go, reader_left

_COMMANDS = {
    "demo": "show the live page of a simulated data centre",
    "check": "find every mistake in a site",
    "run": "collect, compute, store and show a site",
    "reload": "apply changes in a site's files to the running dcops",
    "collection": "show how collecting is going, and what was learned about devices",
    "history": "show, check, copy and export what is stored",
    "simulate": "serve the devices of a site on the wire",
    "record": "record raw Modbus frames between a collector and devices",
    "replay": "answer as recorded devices did, with faults on request",
    "scan": "find Modbus units and the profiles that fit them",
    "probe": "read one Modbus device live; show doubtful values in every order",
    "site": "generate a site",
    "profile": "import, show, list and check device profiles",
    "dashboards": "build or publish the Grafana dashboards",
}
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, loaded: Callable[[], None] = lambda: None) -> int:
    """Run one command and return its exit code. ``loaded`` is called before it begins, when all of it is
    there.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["run"]:
        # It asks for a reload. Before the site is read there is nothing to do, and it would end the process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        try:
            parser = _parser(given)
            chosen, more = parser.parse_known_args(given)
            if more:
                words = f"dcops {chosen.command}"
                parser.error(f"unrecognized arguments: {' '.join(more)}; see '{words} --help'")
            loaded()
            code: int = chosen.run(chosen)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        if not reader_left():
            raise
        let_go()
        return 1
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            raise
        let_go()
        print(f"dcops: what is printed finds no room: {in_words(error)}", file=sys.stderr)
        return 1
    return code


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with all of the command that is given; the others would only cost their imports."""
    parser = argparse.ArgumentParser(
        prog="dcops",
        description="Operations telemetry for data centres: from rack PDU to campus PUE.",
        epilog="Start with: dcops demo",
    )
    parser.add_argument("--version", action="version", version=f"dcops {version('dcops')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        if name in given[:1]:
            importlib.import_module(f"dcops.commands.{name}").register(commands)
        else:
            commands.add_parser(name, help=text)
    return parser
