"""A history as a whole: what is in it, whether it is sound, and a copy of it."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingest.durable import make_durable
from ingest.errors import HistoryCopyError
from ingest.stores.history.compaction import damage
from ingest.stores.history.copying import writing
from ingest.stores.history.files import Folder, StoredFile, day, live_files, quoted, scan
from ingest.stores.history.hot import HotRows, log_name
from ingest.stores.history.levels import LEVELS, RAW

FILES_SUFFIX = ".files"
"""The folder of the files is named as the database, with this in the place of its suffix."""

_RANGES = "SELECT count(*), min(series), max(series), min(time), max(time) FROM {rows}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelInfo:
    """How much there is of one level."""

    level: str
    """``hot`` for readings that are not in files yet."""
    files: int
    rows: int
    bytes: int
    """Of the files."""
    first: int | None
    """Ms; None if there is nothing."""
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is in a history."""

    series: int
    damaged: int
    """Files put aside."""
    database_bytes: int
    levels: tuple[LevelInfo, ...]


def files_folder(database: Path) -> Folder:
    """Where the files of a history are."""
    return Folder(database.with_suffix(FILES_SUFFIX))


def describe(cursor: duckdb.DuckDBPyConnection, database: Path, hot: HotRows) -> Info:
    """What is in a history."""
    files = live_files(cursor)
    levels = [_hot_info(cursor, hot)]
    for key in LEVELS:
        own = [file for file in files if file.level.key == key]
        levels.append(
            LevelInfo(
                level=key,
                files=len(own),
                rows=sum(file.rows for file in own),
                bytes=sum(file.bytes for file in own),
                first=min((file.first_time for file in own), default=None),
                last=max((file.last_time for file in own), default=None),
            )
        )
    return Info(
        series=_number(cursor, "SELECT count(*) FROM series"),
        damaged=_number(cursor, "SELECT count(*) FROM file WHERE state = 'damaged'"),
        database_bytes=sum(p.stat().st_size for p in (database, Path(f"{database}.wal")) if p.exists()),
        levels=tuple(levels),
    )


def problems(cursor: duckdb.DuckDBPyConnection, folder: Folder) -> Iterator[str]:
    """Everything that is not as it should be, one line each; reads every file whole."""
    files = live_files(cursor)
    for file in files:
        yield from _file_problems(cursor, folder, file)
    aside = "SELECT name, rows, level, partition FROM file WHERE state = 'damaged' ORDER BY number"
    for name, rows, level, partition in cursor.execute(aside).fetchall():
        yield f"{name} was put aside: {rows} rows of {level} from {day(partition)} are missing; restore it"
    yield from _gaps(files)
    listed = {row[0] for row in cursor.execute("SELECT name FROM file").fetchall()}
    for path in sorted(folder.path.glob("*.parquet")):
        if path.name not in listed:
            yield f"{path.name} is not of this history; move it away"


def back_up(cursor: duckdb.DuckDBPyConnection, database: Path, target: Path, *, link: bool) -> int:
    """Copy a history into a new folder, which has its name only once it is whole; bytes of what is in it.

    Call it where nothing is merged or removed meanwhile; reading and writing may go on.

    Args:
        cursor: on the history.
        database: its file.
        target: the folder to be made.
        link: files that never change are linked, which takes no time and no space.

    Raises:
        HistoryCopyError: the folder is there or can't be written, or a file is missing or damaged.
    """
    if target.exists():
        raise HistoryCopyError(f"{target} is there already; name a new folder")
    part = target.with_name(f"{target.name}.part")
    try:
        with writing(part, target):
            shutil.rmtree(part, ignore_errors=True)
            _copy(cursor, database, part / database.name, link=link)
            size = sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
            make_durable(part)
            part.replace(target)
            make_durable(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # half a copy takes the space of the next one
    return size


def _copy(cursor: duckdb.DuckDBPyConnection, database: Path, copy: Path, *, link: bool) -> None:
    copied = files_folder(copy)
    copied.path.mkdir(parents=True)
    name = _own_name(cursor)
    cursor.execute(f"ATTACH '{quoted(copy)}' AS backup")
    try:
        cursor.execute(f'COPY FROM DATABASE "{name}" TO backup')
    finally:
        cursor.execute("DETACH backup")
    source = files_folder(database)
    for (number,) in cursor.execute("SELECT number FROM hot").fetchall():
        log = source.path / log_name(number)
        if log.exists():  # with all that was appended since, which is whole up to its last frame
            shutil.copyfile(log, copied.path / log.name)
            make_durable(copied.path / log.name)
    for file in live_files(cursor):
        _copy_file(source.place(file), copied.place(file), link=link)
        reason = "" if link else damage(copied, file)
        if reason:
            raise HistoryCopyError(f"{file.name} is damaged: {reason}; see dcops history check")
    make_durable(copied.path)
    make_durable(copy)


def _copy_file(source: Path, place: Path, *, link: bool) -> None:
    try:
        if link:
            place.hardlink_to(source)
            return
        shutil.copyfile(source, place)
    except FileNotFoundError as error:
        raise HistoryCopyError(f"{source.name} is missing; see dcops history check") from error
    make_durable(place)


def _file_problems(cursor: duckdb.DuckDBPyConnection, folder: Folder, file: StoredFile) -> Iterator[str]:
    if not folder.place(file).exists():
        yield f"{file.name} is missing; restore it from a backup"
        return
    reason = damage(folder, file)
    if reason:
        yield f"{file.name} is damaged: {reason}; restore it from a backup"
        return
    try:
        found = cursor.execute(_RANGES.format(rows=scan([folder.place(file)]))).fetchone()
    except duckdb.Error as error:
        yield f"{file.name} can't be read: {str(error).splitlines()[0]}; restore it from a backup"
        return
    listed = (file.rows, file.first_series, file.last_series, file.first_time, file.last_time)
    if found != listed:
        yield f"{file.name} holds {found}, the list says {listed}; restore both from a backup"


def _gaps(files: list[StoredFile]) -> Iterator[str]:
    """Days between the first and the last without any reading."""
    for level in RAW:
        days = sorted({file.partition for file in files if file.level == level})
        for before, after in itertools.pairwise(days):
            if after - before > level.partition:
                first, last = day(before + level.partition), day(after - 1)
                yield (
                    f"there is nothing of {level.key} from {first} to before {day(after)}"
                    if first != last
                    else (f"there is nothing of {level.key} on {first}")
                )


def _hot_info(cursor: duckdb.DuckDBPyConnection, hot: HotRows) -> LevelInfo:
    tables = hot.tables(cursor)
    times = [block.time for table in tables for block in table.blocks if block.rows]
    return LevelInfo(
        level="hot",
        files=0,
        rows=sum(table.rows for table in tables),
        bytes=sum(table.log.size for table in tables),
        first=min((int(each.min()) for each in times), default=None),
        last=max((int(each.max()) for each in times), default=None),
    )


def _own_name(cursor: duckdb.DuckDBPyConnection) -> str:
    row = cursor.execute("SELECT current_database()").fetchone()
    return str(row[0]).replace('"', '""') if row is not None else ""


def _number(cursor: duckdb.DuckDBPyConnection, query: str) -> int:
    row = cursor.execute(query).fetchone()
    return int(row[0]) if row is not None else 0
