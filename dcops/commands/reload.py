"""``dcops reload``: apply changes in a site's files to the running dcops."""

import argparse
import sys
from collections.abc import Iterator

from dcops.client import DEFAULT_URL, Client, Json
from dcops.errors import DcopsError
from dcops.options import whole

_EXAMPLE = """examples:
  dcops reload
  dcops reload --url http://127.0.0.1:8081
  dcops reload --removing 40        up to 40 devices may be removed
"""
_PATIENCE = 300.0
_MOST_NAMED = 10


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "reload",
        help="apply changes in a site's files to the running dcops",
        description="Ask a running dcops on this machine to read its site's files again. Devices that are"
        " read as before miss no poll. If there are mistakes, all of them are reported and nothing changes.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default=DEFAULT_URL, help=f"where it is served (default: {DEFAULT_URL})")
    parser.add_argument(
        "--removing",
        type=whole,
        default=0,
        metavar="N",
        help="let up to N devices be removed; without this a reload that would remove more than ten devices"
        " and a tenth of the site is refused, as a file may be truncated",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what has changed; 1 if the site has mistakes or dcops does not answer."""
    client = Client(args.url, timeout=_PATIENCE)
    try:
        answer = client.post("/api/v1/site/reload", {"removing": args.removing} if args.removing else {})
    except DcopsError as error:
        for mistake in _mistakes(client):
            print(mistake, file=sys.stderr)
        print(f"dcops reload: {error}", file=sys.stderr)
        return 1
    for line in _lines(answer):
        print(line)
    return 0


def _lines(answer: Json) -> Iterator[str]:
    size = f"{answer['devices']:,} devices, {answer['points']:,} points"
    yield f"loaded anew in {answer['seconds']:.2f} s: {size}"
    for what in ("added", "removed", "changed"):
        ids = [str(each) for each in _list(answer[what])]
        if ids:
            more = " …" if len(ids) > _MOST_NAMED else ""
            yield f"{what}: {len(ids)} ({', '.join(ids[:_MOST_NAMED])}{more})"
    for warning in _list(answer["warnings"]):
        yield f"warning: {warning}"
    for section in _list(answer["needs_restart"]):
        yield f"warning: {section}: its changes take effect at a restart only"


def _mistakes(client: Client) -> Iterator[str]:
    """The mistakes the site was refused for, one a line, as ``dcops check`` says them."""
    try:
        status = client.get("/api/v1/site")
    except DcopsError:
        return
    for each in _list(status["mistakes"]):
        if isinstance(each, dict):
            place = f"{each['file']}:{each['line']}" if each["line"] else each["file"]
            yield f"{place}: {each['message']}"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
