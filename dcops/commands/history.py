"""``dcops history``: what is stored, whether it is sound, copies and exports of it."""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from dcops.client import DEFAULT_URL, Client
from dcops.commands.collection import table
from dcops.errors import DcopsError
from dcops.options import add_data
from dcops.platform import HISTORY_FILE
from dcops.running import run_async
from dcops.system_clock import SystemClock
from facility.sample import NANOSECONDS
from ingest.errors import HistoryCopyError, HistoryHeldError, StoreUnavailableError, UnknownSeriesError
from ingest.stores.duckdb import DuckHistory
from ingest.stores.history.database import is_database
from ingest.stores.history.export import Selection
from ingest.stores.history.levels import BUCKETS, LEVELS, Retention
from ingest.stores.history.upkeep import Info

_EXAMPLE = """examples:
  dcops history info                       how much is stored, and for which time
  dcops history info --series 'rack-1.*'   names of series
  dcops history check                      read every file completely; exit code 1 if something is wrong
  dcops history compact                    sort and merge now what is due
  dcops history backup /mnt/backup/monday  a copy that can be used as it is
  dcops history export --series '*.power' --start 2026-01-01 --stop 2026-02-01 --output january.parquet
  dcops history export --series 'campus.*' --level 1h --output campus.csv

While dcops runs, all but compact read a copy that it makes for them; its files are hard-linked, which
takes hardly any space. Run them on the same machine as the same user.
"""
_TIMEOUT = 600.0
_CENTURY = 36_525 * 86_400 * NANOSECONDS
_EVERYTHING = Retention(
    device=_CENTURY, derived=_CENTURY, minute=_CENTURY, quarter=_CENTURY, hour=_CENTURY, size=2**60
)
"""How long things are kept stands in the site, and dcops run sees to it."""
_EVER = "2200-01-01"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "history",
        help="show, check, copy and export what is stored",
        description="Look after the history in a data folder.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    info = _action(actions, "info", "how much is stored, and for which time", _info)
    info.add_argument("--series", metavar="PATTERN", help="list series instead, with * and ?")
    _action(actions, "check", "read every file completely and report what is wrong", _check)
    _action(actions, "compact", "sort and merge now what is due", _compact)
    backup = _action(actions, "backup", "copy everything into a new folder", _backup)
    backup.add_argument("folder", type=Path, metavar="DIR", help="the folder; it must not exist yet")
    export = _action(actions, "export", "write series to a .parquet or .csv file", _export)
    export.add_argument("--series", required=True, metavar="PATTERN", help="names, with * and ?")
    export.add_argument("--start", type=moment, default="1970-01-01", metavar="TIME", help="ISO 8601, UTC")
    export.add_argument(
        "--stop", type=moment, default=_EVER, metavar="TIME", help="ISO 8601, UTC; not included"
    )
    export.add_argument(
        "--level",
        choices=("readings", *(level.key for level in BUCKETS)),
        default="readings",
        help="readings, or stored buckets with minimum, mean, maximum, last and coverage",
    )
    export.add_argument("--output", required=True, type=Path, metavar="FILE", help=".parquet or .csv")


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    work: Callable[[argparse.Namespace], Awaitable[int]],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data(parser)
    parser.add_argument("--url", default=DEFAULT_URL, help=f"of a running dcops (default: {DEFAULT_URL})")
    parser.set_defaults(run=lambda args: run_async(f"dcops history {name}", lambda: _told(work(args))))
    return parser


async def _told(work: Awaitable[int]) -> int:
    try:
        return await work
    except (StoreUnavailableError, HistoryCopyError, UnknownSeriesError) as error:
        raise DcopsError(str(error)) from error


def moment(text: str) -> int:
    """Nanoseconds of an ISO 8601 time; UTC unless it names a zone."""
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return int(found.timestamp()) * NANOSECONDS + found.microsecond * 1000
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None


def _path(args: argparse.Namespace) -> Path:
    path: Path = args.data / HISTORY_FILE
    if not path.exists():
        raise DcopsError(
            f"there is no history in {args.data} (no {HISTORY_FILE}); give the data folder with --data, or"
            " start dcops with it first"
        )
    if not is_database(path):
        raise DcopsError(
            f"{path} is no DuckDB file; put a backup in its place, or start dcops, which begins a new one"
        )
    return path


@asynccontextmanager
async def _opened(args: argparse.Namespace) -> AsyncIterator[DuckHistory]:
    """The history; a copy made for the moment if a running dcops has it."""
    history = DuckHistory(_path(args), SystemClock())
    try:
        await history.describe()
    except HistoryHeldError:
        await history.close()
        async with _snapshot(args) as copy:
            yield copy
        return
    try:
        yield history
    finally:
        await history.close()


@asynccontextmanager
async def _snapshot(args: argparse.Namespace) -> AsyncIterator[DuckHistory]:
    client = Client(args.url, _TIMEOUT)
    answer = await asyncio.to_thread(client.post, "/api/v1/history/snapshot", {})
    folder = Path(str(answer["folder"]))
    data = await asyncio.to_thread(args.data.resolve)
    if folder.parent.parent != data:
        raise DcopsError(f"{args.url} has its data in {folder.parent.parent}, not in {data}; give its --url")
    history = DuckHistory(folder / HISTORY_FILE, SystemClock())
    try:
        yield history
    finally:
        await history.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _info(args: argparse.Namespace) -> int:
    async with _opened(args) as history:
        if args.series is not None:
            for name in await history.series_like(args.series):
                print(name)
            return 0
        for line in _info_lines(await history.describe()):
            print(line)
    return 0


def _info_lines(info: Info) -> Iterator[str]:
    yield from table(
        ("level", "files", "rows", "bytes", "from", "to"),
        [
            (each.level, each.files, each.rows, each.bytes, _day(each.first), _day(each.last))
            for each in info.levels
        ],
    )
    total = info.database_bytes + sum(each.bytes for each in info.levels)
    yield f"{info.series} series, {total} bytes in all, {info.database_bytes} of them in {HISTORY_FILE}"
    if info.damaged:
        yield f"{info.damaged} damaged files were put aside; see dcops history check"


def _day(time: int | None) -> str:
    return "–" if time is None else datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


async def _check(args: argparse.Namespace) -> int:
    async with _opened(args) as history:
        info = await history.describe()
        found = await history.check()
    for line in found:
        print(line, file=sys.stderr)
    files, rows = sum(each.files for each in info.levels), sum(each.rows for each in info.levels)
    print(f"{files} files, {rows} rows: {len(found) or 'no'} problem{'s' if len(found) != 1 else ''}")
    return 1 if found else 0


async def _compact(args: argparse.Namespace) -> int:
    history = DuckHistory(_path(args), SystemClock(), _EVERYTHING)
    try:
        await history.compact()
        for line in _info_lines(await history.describe()):
            print(line)
    finally:
        await history.close()
    return 0


async def _backup(args: argparse.Namespace) -> int:
    began = time.monotonic()
    async with _opened(args) as history:
        size = await history.back_up(args.folder)
    print(f"{args.folder}: {size} bytes in {time.monotonic() - began:.1f} s")
    return 0


async def _export(args: argparse.Namespace) -> int:
    if args.stop <= args.start:
        raise HistoryCopyError("nothing lies between --start and --stop; give a later --stop")
    level = None if args.level == "readings" else LEVELS[args.level]
    chosen = Selection(series=args.series, start=args.start, stop=args.stop, level=level)
    async with _opened(args) as history:
        rows = await history.export(chosen, args.output)
    print(f"{args.output}: {rows} rows")
    return 0
