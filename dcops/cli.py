"""The command line: ``dcops COMMAND``. Exit codes: 0 fine, 1 the site or the world is wrong, 2 usage."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from dcops.commands import check, dashboards, demo, run, simulate, site

_COMMANDS = (demo, check, run, simulate, site, dashboards)
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="dcops",
        description="Operations telemetry for data centres: from rack PDU to campus PUE.",
        epilog="Start with: dcops demo",
    )
    parser.add_argument("--version", action="version", version=f"dcops {version('dcops')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.register(commands)
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
