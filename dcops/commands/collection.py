"""``dcops collection``: how collecting goes in a running dcops, and what reading devices has taught it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode

from dcops.client import DEFAULT_URL, Client, Json
from dcops.errors import DcopsError

_EXAMPLE = """examples:
  dcops collection                      endpoints, and devices that do not answer as they should
  dcops collection --all                every device
  dcops collection --device rack-7-pdu  one device: its texts, lessons and what its reads cost
  dcops collection --lessons            what was learned: values that devices refuse, who they are
  dcops collection --forget rack-7-pdu  forget what was learned about one device, or all
"""
_PATH = "/api/v1/collection"

Row = Sequence[object]


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "collection",
        help="show how collecting is going, and what was learned about devices",
        description="Ask a running dcops how collecting is going.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default=DEFAULT_URL, help=f"where it is served (default: {DEFAULT_URL})")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="list every device")
    what.add_argument("--device", metavar="ID", help="show one device")
    what.add_argument("--lessons", action="store_true", help="list what was learned about devices")
    what.add_argument("--forget", metavar="ID|all", help="forget what was learned about one device, or all")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; 1 if dcops does not answer."""
    try:
        for line in _lines(args):
            print(line)
    except DcopsError as error:
        print(f"dcops collection: {error}", file=sys.stderr)
        return 1
    return 0


def _lines(args: argparse.Namespace) -> Iterator[str]:
    client = Client(args.url)
    if args.forget is not None:
        forgotten = client.post(f"{_PATH}/lessons/forget", {"device": args.forget})["forgotten"]
        yield f"forgotten: the lessons of {forgotten} device{'' if forgotten == 1 else 's'}"
    elif args.lessons:
        yield from _lessons(client.get(f"{_PATH}/lessons"))
    elif args.device is not None:
        yield from _device(client, args.device)
    else:
        yield from _overview(client.get(_PATH), everything=args.all)


def _overview(answer: Json, *, everything: bool) -> Iterator[str]:
    yield from _collectors(_items(answer["collectors"]))
    endpoints = _items(answer["endpoints"])
    yield from table(
        ("endpoint", "protocol", "state", "busy", "planned", "cycle s", "planned", "errors", "last error"),
        [
            (
                each["endpoint"],
                each["protocol"],
                each["state"],
                _percent(each["utilisation"]),
                _percent(each["predicted_utilisation"]),
                _number(each["measured_cycle"]),
                _number(each["predicted_cycle"]),
                _counts(each["errors"]),
                each["last_error"],
            )
            for each in endpoints
        ],
    )
    yield ""
    devices = _items(answer["devices"])
    shown = [each for each in devices if everything or each["state"] != "online" or each["refused"]]
    yield from _device_table(shown)
    if len(shown) < len(devices):
        yield f"{len(devices) - len(shown)} more devices are online; --all lists them"


def _collectors(collectors: Sequence[Json]) -> Iterator[str]:
    """The other processes that collect, if there are any."""
    if not collectors:
        return
    yield from table(
        ("collector", "state", "last heard", "readings", "waiting", "restarts", "page", "error"),
        [
            (
                each["name"],
                each["state"],
                each["heard"] or "never",
                each["readings"],
                each["waiting"],
                each["restarts"] or "",
                each["url"],
                each["error"],
            )
            for each in collectors
        ],
    )
    yield ""


def _device_table(devices: Sequence[Json]) -> Iterator[str]:
    if not devices:
        return
    yield from table(
        (
            "device",
            "endpoint",
            "unit",
            "state",
            "last success",
            "done",
            "missed",
            "failed",
            "refused",
            "last error",
        ),
        [
            (
                each["device"],
                each["endpoint"],
                "" if each["unit"] is None else each["unit"],
                each["state"],
                each["last_success"] or "never",
                each["polls_done"],
                each["polls_missed"],
                each["polls_failed"],
                each["refused"] or "",
                each["last_error"],
            )
            for each in devices
        ],
    )


def _lessons(answer: Json) -> Iterator[str]:
    lessons = _items(answer["lessons"])
    if not lessons:
        yield "no lessons: no device refuses a value, and none says who it is"
    for lesson in lessons:
        place = f"unit {lesson['unit']} of {lesson['endpoint']}"
        yield f"{lesson['device']}: profile {lesson['profile']}, {place}"
        yield from _lesson(lesson)


def _lesson(lesson: Json) -> Iterator[str]:
    for refused in _items(lesson["refused"]):
        points = ", ".join(str(each) for each in _list(refused["points"])) or "what others refer to"
        yield f"  refuses {refused['place']} with exception {refused['exception']}: {points}"
    for cut in _list(lesson["cuts"]):
        yield f"  is not read across {cut}"
    if lesson["start"] is not None:
        yield f"  its SunSpec model begins at {lesson['start']}"
    identity = lesson["identity"]
    if isinstance(identity, dict):
        for name, told in identity.items():
            yield f"  {name}: {told}"


def _device(client: Client, device: str) -> Iterator[str]:
    node = client.get(f"/api/v1/nodes/{quote(device)}")
    health = node.get("collection")
    if not isinstance(health, dict):
        raise DcopsError(f"{device} is not collected; see dcops collection --all")
    yield from _device_table([health])
    texts = node.get("texts")
    if isinstance(texts, dict) and texts:
        yield ""
        yield from (f"{name}: {text}" for name, text in texts.items())
    for lesson in _items(client.get(f"{_PATH}/lessons?{urlencode({'device': device})}")["lessons"]):
        yield ""
        yield "lessons:"
        yield from _lesson(lesson)
    if health["unit"] is not None:
        costs = client.get(f"{_PATH}/endpoints/{quote(str(health['endpoint']))}?limit=1000")
        yield from _costs([each for each in _items(costs["devices"]) if each["device"] == device])


def _costs(devices: Sequence[Json]) -> Iterator[str]:
    for each in devices:
        if not each["reads"]:
            continue
        yield ""
        yield from table(
            ("read", "count", "seconds", "mean s"),
            [
                (read["read"], read["count"], _number(read["seconds"]), _number(read["mean"]))
                for read in _items(each["reads"])
            ],
        )
        yield f"{_percent(each['share'])} of the time its endpoint gave to devices"


def table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Rows in columns as wide as what they hold."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _items(value: object) -> list[Json]:
    return [each for each in _list(value) if isinstance(each, dict)]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _percent(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, (int, float)) else "–"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, (int, float)) else "–"


def _counts(value: object) -> str:
    return ", ".join(f"{count} {name}" for name, count in value.items()) if isinstance(value, dict) else ""
