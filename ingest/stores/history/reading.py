"""What was stored of one series: hot rows and files as one, the coarsest buckets that serve exactly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from facility.quality import FIRST_UNCERTAIN, QualityArray
from ingest.errors import UnknownSeriesError
from ingest.stores.history import buckets
from ingest.stores.history.buckets import Floats, Rows
from ingest.stores.history.files import Folder, StoredFile, live_files, scan
from ingest.stores.history.holding import (
    Flags,
    Regime,
    holds_at,
    joined,
    of_buckets,
    of_readings,
    spans_of_holding,
    stepped,
)
from ingest.stores.history.hot import HotTable
from ingest.stores.history.levels import BUCKETS, DERIVED, DEVICE, LEVELS, MILLISECOND, RAW_COLUMNS, Level
from ingest.stores.history.schema import floors, watermarks

_SERIES = "SELECT id, derived, counter, period FROM series LEFT JOIN usual ON id = series WHERE name = ?"
_REGIMES = "SELECT since, hold FROM hold WHERE series = ? ORDER BY since"
_MOST_KNOWN = 10_000
"""Series that a manifest remembers."""
_WHERE = "series = {series} AND time >= {start} AND time < {stop}"


class DamagedFileError(Exception):
    """A file cannot be read."""

    def __init__(self, file: StoredFile, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one series: arrays of one length."""

    time: NDArray[np.int64]
    """Ms."""
    value: Floats
    quality: QualityArray


Span = tuple[Level | None, int, int]
"""What a time from a ns to another is read of; None for readings."""


def cover(levels: Sequence[Level], spans: Mapping[str, tuple[int, int]], start: int, stop: int) -> list[Span]:
    """A time, each part of it by the first of the levels that has whole buckets of it; else by readings.

    Args:
        levels: those to be preferred first.
        spans: from and to which time each has closed buckets.
        start: of the time; ns, as is all.
        stop: its end.
    """
    if start >= stop:
        return []
    if not levels:
        return [(None, start, stop)]
    level, *finer = levels
    floor, mark = spans[level.key]
    length = _length(level)
    first = max(start, -(-floor // length) * length)
    last = min(mark, stop) // length * length
    if first >= last:
        return cover(finer, spans, start, stop)
    before, after = cover(finer, spans, start, first), cover(finer, spans, last, stop)
    return [*before, (level, first, last), *after]


@dataclass(frozen=True, slots=True)
class Series:
    """What is known of one."""

    id: int
    level: Level
    """Of its readings."""
    is_counter: bool
    period: int | None
    """Usual distance of two readings, ms; None as long as it is unknown."""
    regimes: tuple[Regime, ...] = ()
    """How it was stored from when on; none if every reading always was."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where everything is, at one moment; to look it up for each question would take longer than reading."""

    files: Mapping[str, Sequence[StoredFile]]
    """Those that count, by level, oldest first."""
    hot: Sequence[HotTable]
    """Tables of hot rows, oldest first; in a table that is written, what is new appears by itself."""
    floors: Mapping[str, int]
    """Before which ms there is nothing any more, by level."""
    marks: Mapping[str, int | None]
    """Up to which ms buckets were made, by level."""
    series: dict[str, Series]
    """Those that were asked for, by name."""

    @classmethod
    def load(cls, cursor: duckdb.DuckDBPyConnection, hot: Sequence[HotTable]) -> "Manifest":
        """As of now; the tables were asked for before: what is not in them is in files."""
        files: dict[str, list[StoredFile]] = {key: [] for key in LEVELS}
        for file in live_files(cursor):
            files[file.level.key].append(file)
        return cls(files, hot, floors(cursor), watermarks(cursor), {})


class SeriesReader:
    """One series, seen in one transaction."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, folder: Folder, manifest: Manifest, name: str
    ) -> None:
        """Find it.

        Raises:
            UnknownSeriesError: nothing of that name was ever stored.
        """
        self._cursor = cursor
        self._folder = folder
        self._manifest = manifest
        self._series = manifest.series.get(name) or self._find(name)

    @property
    def is_counter(self) -> bool:
        """Whether its last value says more than its mean."""
        return self._series.is_counter

    def readings(self, start: int, stop: int) -> Readings:
        """By time, each time once."""
        stored, hot = self._scan(self._series.level, RAW_COLUMNS, start, stop), self._hot(start, stop)
        time = np.concatenate([stored["time"].astype(np.int64), hot.time])
        value = np.concatenate([_floats(stored["value"]), hot.value])
        quality = np.concatenate([stored["quality"].astype(np.uint8), hot.quality])
        chosen = buckets.last_of_equals(time)
        return Readings(time[chosen], value[chosen], quality[chosen])

    @property
    def by_exception(self) -> bool:
        """Whether some of it is stored by exception."""
        return bool(self._series.regimes)

    @property
    def hold(self) -> int:
        """Ns that a reading stored last stands for when none follows; 0 if every reading is stored."""
        return self._series.regimes[-1].hold if self._series.regimes else 0

    def standing_at(self, time: int) -> Readings:
        """The reading that stands at a time (ns), if one stored before does; none otherwise."""
        regimes = self._series.regimes
        found = self.readings(_ms(time - max(each.hold for each in regimes)), _ms(time))
        at, value, quality = found.time[-1:], found.value[-1:], found.quality[-1:]
        stands = (at * MILLISECOND + holds_at(regimes, at * MILLISECOND) > time) & (
            quality >= FIRST_UNCERTAIN
        )
        return Readings(at[stands], value[stands], quality[stands])

    def steps(self, start: int, stop: int, step: int, now: int) -> tuple[Rows, Flags, int]:
        """Buckets of ``step`` ns from ``start`` on; which of them hold what was stored before; and the
        length of the coarsest they are made of. Nothing is held beyond ``now``.
        """
        if not self._series.regimes:
            rows, length = self._plain_steps(start, stop, step)
            return rows, np.zeros(len(rows), dtype=np.bool_), length
        found = []
        for first, last, by_exception in spans_of_holding(self._series.regimes, start, stop, step):
            if by_exception:
                found.append(self._held_steps(first, last, step, now))
            else:
                rows, length = self._plain_steps(first, last, step)
                found.append((rows, np.zeros(len(rows), dtype=np.bool_), length))
        parts, held, lengths = zip(*found, strict=True) if found else ((), (np.zeros(0, np.bool_),), (0,))
        return buckets.joined(list(parts)), np.concatenate(held), max(lengths)

    def _held_steps(self, start: int, stop: int, step: int, now: int) -> tuple[Rows, Flags, int]:
        """Steps of what is stored by exception: of readings, and of stored buckets where those are gone."""
        regimes = self._series.regimes
        began = start - max(each.hold for each in regimes)
        floor = self._manifest.floors[self._series.level.key] * MILLISECOND
        found = self.readings(_ms(max(began, floor)), _ms(stop))
        time = found.time * MILLISECOND
        parts = [of_readings(time, found.value, found.quality, holds_at(regimes, time))]
        # The finest there are: what a coarse one holds only a part of can't be told from outside.
        within = [each for each in BUCKETS if _length(each) <= step]
        lengths = [0]
        for level, first, last in cover(within, self._closed(), began, min(stop, floor)):
            if level is not None:
                rows = self._rows(level, first, last)
                parts.append(of_buckets(rows, _length(level), holds_at(regimes, rows.time)))
                lengths.append(_length(level))
        count = -(-(stop - start) // step)
        made, held = stepped(joined(parts), start, step, count, min(now, stop))
        return made, held, max(lengths)

    def _plain_steps(self, start: int, stop: int, step: int) -> tuple[Rows, int]:
        floor = self._manifest.floors[self._series.level.key] * MILLISECOND
        spans = self._closed()
        exact = [b for b in reversed(BUCKETS) if step % _length(b) == 0 and start % _length(b) == 0]
        within = [b for b in reversed(BUCKETS) if _length(b) <= step]
        plan: list[Span] = []
        for level, first, last in cover(exact, spans, start, stop):
            gone = min(last, floor) if level is None else first
            # Where readings are gone and no buckets fit, those that begin in a step are put into it.
            plan += [each for each in cover(within, spans, first, gone) if each[0] is not None]
            plan.append((level, max(first, gone), last))
        hot = self._hot(_ms(max(start, floor)), _ms(stop)).time * MILLISECOND
        parts = [part for span in plan if span[1] < span[2] for part in self._with_hot(span, hot)]
        count = -(-(stop - start) // step)
        lengths = [_length(span[0]) for span in plan if span[0] is not None]
        rows = _by_time(buckets.joined(parts))
        return buckets.combine(rows, start, step, count), max(lengths, default=0)

    def _closed(self) -> dict[str, tuple[int, int]]:
        """From and to which time (ns) there are stored buckets, by level."""
        known, marks = self._manifest.floors, self._manifest.marks
        return {b.key: (known[b.key] * MILLISECOND, (marks[b.key] or 0) * MILLISECOND) for b in BUCKETS}

    def _find(self, name: str) -> Series:
        row = self._cursor.execute(_SERIES, [name]).fetchone()
        if row is None:
            raise UnknownSeriesError(f"no series {name!r} was ever stored")
        told = self._cursor.execute(_REGIMES, [row[0]]).fetchall()
        regimes = tuple(Regime(since * MILLISECOND, hold * MILLISECOND) for since, hold in told)
        found = Series(row[0], DERIVED if row[1] else DEVICE, row[2], row[3], regimes)
        if len(self._manifest.series) < _MOST_KNOWN:
            self._manifest.series[name] = found
        return found

    def _with_hot(self, span: Span, hot: NDArray[np.int64]) -> list[Rows]:
        """What a span is made of: stored buckets do not know of hot rows (their times in ns), so those that
        have some are made of readings.
        """
        level, first, last = span
        rows = self._rows(level, first, last)
        late = hot[(hot >= first) & (hot < last)]
        if level is None or not late.size:
            return [rows]
        length = _length(level)
        numbers = np.unique(late // length)
        kept = _chosen(rows, np.flatnonzero(~np.isin(rows.time // length, numbers)))
        stretches = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
        return [
            kept,
            *(self._rows(None, int(each[0]) * length, int(each[-1] + 1) * length) for each in stretches),
        ]

    def _rows(self, level: Level | None, start: int, stop: int) -> Rows:
        if level is None:
            found = self.readings(_ms(start), _ms(stop))
            return buckets.of_readings(
                found.time * MILLISECOND, found.value, found.quality, self._series.period
            )
        stored = self._scan(level, level.columns, _ms(start), _ms(stop))
        time = np.asarray(stored["time"], np.int64)
        chosen = buckets.last_of_equals(time)
        return Rows(
            time=time[chosen] * MILLISECOND,
            minimum=_floats(stored["minimum"])[chosen],
            maximum=_floats(stored["maximum"])[chosen],
            total=_floats(stored["total"])[chosen],
            last=_floats(stored["last"])[chosen],
            usable=np.asarray(stored["usable"], np.int64)[chosen],
            covered=_floats(stored["covered"])[chosen],
            quality=np.asarray(stored["quality"], np.uint8)[chosen],
        )

    def _hot(self, start: int, stop: int) -> Readings:
        """In the order they came."""
        parts = [part for table in self._manifest.hot for part in table.of_series(self._series.id)]
        time = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
        within = (time >= start) & (time < stop)
        value = np.concatenate([np.empty(0), *(part[1] for part in parts)])[within]
        quality = np.concatenate([np.empty(0, np.uint8), *(part[2] for part in parts)])[within]
        return Readings(time[within], value, quality)

    def _scan(self, level: Level, columns: str, start: int, stop: int) -> dict[str, NDArray[np.generic]]:
        """Rows of all files, of equal times the one that counts last."""
        series = self._series.id
        found = [
            file
            for file in self._manifest.files[level.key]
            if file.first_series <= series <= file.last_series
            and file.first_time < stop
            and file.last_time >= start
        ]
        where = _WHERE.format(series=series, start=start, stop=stop)
        if not found:
            return {name: np.zeros(0) for name in columns.split(", ")}
        paths = [self._folder.place(file) for file in found]
        query = f"SELECT {columns} FROM {{}} WHERE {where}"  # noqa: S608 - our own names
        try:
            return self._cursor.execute(query.format(scan(paths))).fetchnumpy()
        except duckdb.Error:
            for file, path in zip(found, paths, strict=True):
                _try_alone(file, lambda path=path: self._cursor.execute(query.format(scan([path]))))  # type: ignore[misc]
            raise


def _length(level: Level) -> int:
    """Of its buckets, in ns."""
    return level.length * MILLISECOND


def _ms(time: int) -> int:
    """The first whole ms at or after a time in ns."""
    return -(-time // MILLISECOND)


def _try_alone(file: StoredFile, read: Callable[[], duckdb.DuckDBPyConnection]) -> None:
    try:
        read().fetchall()
    except duckdb.Error as error:
        raise DamagedFileError(file, str(error).splitlines()[0]) from error


def _by_time(rows: Rows) -> Rows:
    return _chosen(rows, np.argsort(rows.time, kind="stable"))


def _chosen(rows: Rows, places: NDArray[np.int64]) -> Rows:
    return Rows(**{name: getattr(rows, name)[places] for name in Rows.__slots__})


def _floats(column: NDArray[np.generic]) -> Floats:
    return np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
