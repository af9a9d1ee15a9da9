"""Commands called as the command line calls them."""

import argparse
from types import ModuleType


def parsed(command: ModuleType, *arguments: str) -> argparse.Namespace:
    """The arguments of one command module, parsed as ``dcops`` does."""
    parser = argparse.ArgumentParser(prog="dcops")
    command.register(parser.add_subparsers(required=True))
    return parser.parse_args(arguments)
