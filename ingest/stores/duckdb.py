"""The embedded history: newest readings in DuckDB, all others in sorted Parquet files beside it.

Readings come in as rows of a *hot* table, in the order they come. About every hour, or earlier if there are
many, the table is sealed and becomes a file sorted by series, together with buckets of 1 min, 15 min and 1 h.
How far the journal was taken is written in the same transaction as the readings, so what is delivered twice
is kept once. See ``ingest.stores.history`` for the parts.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb

from facility.catalogue import Catalogue
from facility.clock import Clock
from ingest.ageing import Ageing
from ingest.errors import StoreUnavailableError
from ingest.journal_entries import JournalEntry
from ingest.stores import History
from ingest.stores.history import upkeep
from ingest.stores.history.answering import Buckets, as_stored, in_steps
from ingest.stores.history.compaction import Compaction, CompactionStoppedError
from ingest.stores.history.database import Database
from ingest.stores.history.export import Selection, export, series_like
from ingest.stores.history.hot import HotRows
from ingest.stores.history.levels import MILLISECOND, MINUTE, Retention
from ingest.stores.history.priority import step_back
from ingest.stores.history.reading import DamagedFileError, Manifest, SeriesReader
from ingest.stores.history.schema import transaction
from ingest.stores.history.sealing import GRACE
from ingest.stores.history.upkeep import Info
from ingest.stores.history.writing import HotWriter
from ingest.stores.read_back import check_times

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

HOT_ROWS = 500_000
"""So many readings in the order they came are enough for files of a good size."""
LEAST_HOT_AGE, MOST_HOT_AGE = 60_000, 3_600_000
"""Ms: if there are so many they are sorted into files after the first, else after the second."""
MOST_HOT_ROWS = 10_000_000
"""So many are sorted at once, to bound memory: 9 bytes each, and as much again while that goes on. A campus
has 7,500,000 when a minute closes."""
MOST_WAITING_ROWS = 20_000_000
"""So many may wait in memory; then writing waits for sorting, and is refused after ``_PATIENCE`` seconds."""
_PATIENCE = 10.0
_NO_SPACE = "No space left on device"
_MOST_TRIES = 1000
"""As often one question is asked again, without a file that turns out damaged."""


class DuckHistory:
    """The history in one file and a folder. Three threads of its own write, read and compact."""

    any_order = True
    """What was taken is known by ranges of positions."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        retention: Retention | None = None,
        name: str = "history",
        *,
        ageing: Ageing | None = None,
    ) -> None:
        """``ageing`` says by which time things grow too old; without it the clock does."""
        self.damaged_files = 0
        """Files found damaged by questions since the start; see ``compaction.damaged`` for the others."""
        self._folder = upkeep.files_folder(path)
        self._rows = HotRows(self._folder.path)
        self.compaction = Compaction(
            self._folder,
            self._rows,
            retention or Retention(),
            lambda: self._closing,
            aged=lambda now: now if ageing is None else min(now, ageing.now() // MILLISECOND),
        )
        self._database = Database(path, self._folder.path)
        self._clock = clock
        self._name = name
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-read")
        self._compactor = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-compact", initializer=step_back)
        self._reader.submit(int)  # begins it: were it begun by the compactor, it would have its priority
        self._hot = HotWriter(self._rows)
        self._catalogue: Catalogue | None = None
        self._manifest: tuple[int, Manifest] | None = None
        """The version it is of, and what is known."""
        self._version = 0
        self._sealed = _minute_closed(clock.now() // MILLISECOND) + GRACE
        self._running = threading.Event()
        self._closing = False
        self._interrupt: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        """Under which its cursor is kept."""
        return self._name

    @property
    def quarantined(self) -> int:
        """Files put aside because they are no DuckDB database, since the start."""
        return self._database.quarantined

    async def write(self, entries: Sequence[JournalEntry]) -> None:
        """Keep these, each entry whole or not at all; those that are in already are left out.

        Raises:
            StoreUnavailableError: the file cannot be written now.
        """
        await self._run(self._writer, lambda: self._write(entries))

    async def history(self, series: str, start: int, stop: int, step: int | None = None) -> History:
        """Readings of one series in ``[start, stop)``, or one value for each step.

        Times are kept to the ms. Of readings with the same ms the last one written counts. The value of a
        step is the mean of its usable values, for a counter the last of them. Every step is there; an empty
        one is NaN with quality BAD, one with nothing usable NaN with the worst of its qualities.

        Steps are made of the coarsest stored buckets that fit them exactly, else of readings. Where readings
        are gone and no buckets fit, those that begin in a step are put into it.

        Raises:
            UnknownSeriesError: nothing of that name was ever stored.
            StoreUnavailableError: the file cannot be read now.
            ValueError: the times are in the wrong order or ask for too many steps.
        """
        check_times(start, stop, step)
        if step is not None:
            counter, found = await self._steps(series, start, stop, step)
            values = found.last if counter else found.mean
            held = found.held if found.hold or found.held.any() else None
            return History(found.times, values, found.quality, found.resolution, held, found.hold)
        return await self._read(series, lambda reader: as_stored(reader, start, stop, self._clock.now()))

    async def buckets(self, series: str, start: int, stop: int, step: int) -> Buckets:
        """Least, mean, greatest and last usable value of each step, and its coverage; as ``history``."""
        check_times(start, stop, step)
        return (await self._steps(series, start, stop, step))[1]

    async def compact(self) -> None:
        """Turn all newest readings into files, merge and remove what is due; done by itself as it gets due.

        Raises:
            StoreUnavailableError: the file cannot be used now.
        """
        await self._run(self._writer, self._seal)
        await self._run(self._compactor, self._compact)

    async def back_up(self, target: Path, *, link: bool = False) -> int:
        """Copy all that is stored now into a new folder, while work goes on; bytes of what is in it.

        Args:
            target: made, and has its name only once it is whole.
            link: files are linked instead of copied: no time, no space, but no second disk either.

        Raises:
            HistoryCopyError: the folder exists or can't be written, or a file is damaged.
            StoreUnavailableError: the history cannot be used now.
        """
        path = self._database.path
        return await self._run(
            self._compactor, lambda: self._database.use(lambda c: upkeep.back_up(c, path, target, link=link))
        )

    async def describe(self) -> Info:
        """What is in it.

        Raises:
            StoreUnavailableError: the history cannot be used now.
        """
        path = self._database.path
        return await self._run(
            self._reader, lambda: self._database.use(lambda cursor: upkeep.describe(cursor, path, self._rows))
        )

    async def check(self) -> list[str]:
        """Everything that is not as it should be, one line each; reads every file whole.

        Raises:
            StoreUnavailableError: the history cannot be used now.
        """
        return await self._run(
            self._compactor,
            lambda: self._database.use(lambda cursor: list(upkeep.problems(cursor, self._folder))),
        )

    async def export(self, chosen: Selection, output: Path) -> int:
        """Write a selection to a ``.parquet`` or ``.csv`` file, by series and time; how many rows.

        Raises:
            UnknownSeriesError: no series fits the pattern.
            HistoryCopyError: the file can't be written.
            StoreUnavailableError: the history cannot be used now.
        """
        work = lambda cursor: export(cursor, self._folder, self._rows, chosen, output)  # noqa: E731
        return await self._run(self._compactor, lambda: self._database.use(work))

    async def series_like(self, pattern: str) -> list[str]:
        """Names of series that fit a pattern with ``*`` and ``?``, in order.

        Raises:
            StoreUnavailableError: the history cannot be used now.
        """
        return await self._run(
            self._reader, lambda: self._database.use(lambda cursor: series_like(cursor, pattern))
        )

    async def close(self) -> None:
        """Close the file, all data in it. Compaction that is under way is broken off; nothing is lost."""
        if self._closing:
            return
        self._closing = True
        self._interrupt()
        for each in (self._compactor, self._reader):
            await self._run(each, lambda: None)
        await self._run(self._writer, self._hot.forget)
        await self._run(self._writer, self._database.close)
        for each in (self._compactor, self._reader, self._writer):
            each.shutdown()

    async def _run(self, executor: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    # In the writer's thread

    def _write(self, entries: Sequence[JournalEntry]) -> None:
        if not self._rows.wait_for_room(MOST_WAITING_ROWS, 0.0):
            self._start_compaction()
            if not self._rows.wait_for_room(MOST_WAITING_ROWS, _PATIENCE):
                waiting = f"{MOST_WAITING_ROWS} readings wait to be sorted into files"
                mend = "see the log for what stops that, or give the machine a faster disk"
                raise StoreUnavailableError(f"history {self._database.path}: {waiting}; {mend}")
        noted = self._hot.notes.changes
        self._use_hot(lambda cursor: self._hot.write(cursor, entries))
        if entries and (entries[-1].catalogue is not self._catalogue or self._hot.notes.changes != noted):
            self._use_hot(self._database.remember)
            self._catalogue = entries[-1].catalogue
            self._forget_manifest()
        now = self._clock.now() // MILLISECOND
        if self._is_due(now):
            self._seal_at(now, _minute_closed(now))
            self._start_compaction()

    def _start_compaction(self) -> None:
        if not self._running.is_set():
            self._running.set()
            self._compactor.submit(self._compact_behind)

    def _is_due(self, now: int) -> bool:
        """Whether hot rows are to become files: when buckets have just closed, unless there are too many."""
        age = now - self._sealed
        rows = self._use_hot(lambda cursor: self._rows.current(cursor).rows)
        if age < 0 or rows >= MOST_HOT_ROWS:
            return True
        least = LEAST_HOT_AGE if rows >= HOT_ROWS else MOST_HOT_AGE
        return age >= least

    def _seal(self) -> None:
        self._seal_at(self._clock.now() // MILLISECOND, None)

    def _seal_at(self, now: int, cut: int | None) -> None:
        """Seal hot rows; those from ``cut`` on stay hot."""
        # As if just after a minute has closed, so that the next time is, too.
        self._sealed = now if cut is None else cut + GRACE
        self._use_hot(lambda cursor: self._rows.seal(cursor, now, cut, least=HOT_ROWS, most=MOST_HOT_ROWS))
        self._use_hot(self._database.remember)
        self._forget_manifest()

    def _use_hot(self, work: Callable[[duckdb.DuckDBPyConnection], _T]) -> _T:
        try:
            return self._database.use(work)
        except BaseException:
            self._hot.forget()
            self._forget_manifest()
            raise

    # In the compactor's thread

    def _compact_behind(self) -> None:
        try:
            self._compact()
        except StoreUnavailableError as error:
            if not self._closing:
                _log.warning("history is not compacted, readings stay where they are: %s", error)
        except Exception:
            _log.exception("history is not compacted, readings stay where they are")
            raise
        finally:
            self._running.clear()

    def _compact(self) -> None:
        if self._closing:
            return
        now = self._clock.now() // MILLISECOND
        with contextlib.suppress(CompactionStoppedError):
            self._database.use(lambda cursor: self._compact_with(cursor, now))

    def _compact_with(self, cursor: duckdb.DuckDBPyConnection, now: int) -> None:
        self._interrupt = cursor.interrupt
        try:
            try:
                self.compaction.run(cursor, now)
            except duckdb.Error as error:
                self.compaction.forget()
                is_file = not self._closing and _may_be_damage(error)
                if not is_file or not self.compaction.put_damaged_aside(cursor):
                    raise
                self.compaction.run(cursor, now)
            self._database.remember(cursor)
        finally:
            self._interrupt = lambda: None
            self._forget_manifest()
        # Nobody reads what was replaced before this runs in the reader's turn.
        removal: Future[None] = self._reader.submit(self._folder.remove, cursor, "obsolete")
        removal.result()

    # In the reader's thread

    async def _steps(self, series: str, start: int, stop: int, step: int) -> tuple[bool, Buckets]:
        return await self._read(series, lambda reader: in_steps(reader, start, stop, step, self._clock.now()))

    async def _read(self, series: str, work: Callable[[SeriesReader], _T]) -> _T:
        return await self._run(
            self._reader, lambda: self._database.ask(lambda cursor: self._read_with(cursor, series, work))
        )

    def _read_with(
        self, cursor: duckdb.DuckDBPyConnection, series: str, work: Callable[[SeriesReader], _T]
    ) -> _T:
        """Ask; again without a file that turns out damaged."""
        for _ in range(_MOST_TRIES):
            manifest = self._current_manifest(cursor)
            try:
                return work(SeriesReader(cursor, self._folder, manifest, series))
            except DamagedFileError as error:
                self.damaged_files += 1
                self._folder.put_aside(cursor, error.file, error.reason)
            self._forget_manifest()
        raise StoreUnavailableError(f"history {self._database.path}: too many files are damaged; see the log")

    def _current_manifest(self, cursor: duckdb.DuckDBPyConnection) -> Manifest:
        """The one that is known if nothing has changed since, else a new one.

        Between a change and its being known the old one still serves: its tables of hot rows are kept as
        long as it is, and the files it lists are removed only later, in this thread.
        """
        version, known = self._version, self._manifest
        if known is not None and known[0] == version:
            return known[1]
        hot = self._rows.tables(cursor)
        with transaction(cursor):
            made = Manifest.load(cursor, hot)
        self._manifest = version, made  # if it has changed meanwhile it is not looked at again
        return made

    def _forget_manifest(self) -> None:
        """Files, tables or what is known of series have changed. For any thread."""
        self._version += 1
        self._manifest = None


def _may_be_damage(error: duckdb.Error) -> bool:
    """Whether a damaged file may be the cause: to look for one takes reading all of them."""
    others = (duckdb.OutOfMemoryException, duckdb.FatalException, duckdb.InterruptException)
    return not isinstance(error, others) and _NO_SPACE not in str(error)


def _minute_closed(now: int) -> int:
    """Ms up to which buckets of a minute are closed."""
    return (now - GRACE) // MINUTE.length * MINUTE.length
