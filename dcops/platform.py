"""One site, running: everything wired, started in stages and stopped in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry

from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from alerting.errors import SnapshotError
from alerting.evaluation import Image
from alerting.watch import AlarmWatch
from collectors.collection import Collection
from console.context import ConsoleContext
from console.server import serve
from console.ticks import TickSignal
from dcops.lessons_file import open_lessons
from dcops.memory import MemoryUnreadableError, decode, encode
from dcops.metrics import (
    AlarmMetrics,
    BuildMetrics,
    CollectionMetrics,
    CorrectionMetrics,
    HistoryMetrics,
    NotificationMetrics,
)
from dcops.outputs import build_notifier, build_store
from dcops.site_file import LoadedSite
from dcops.snapshots import Snapshots
from dcops.stages import stage
from facility.catalogue import build_catalogue
from facility.clock import Clock
from facility.derived import Derived
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery
from ingest.errors import JournalUnavailableError
from ingest.exposition import CONTENT_TYPE, Exposition
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.metrics import DeliveryMetrics, JournalMetrics, TickMetrics
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.duckdb import DuckHistory
from ingest.tick import Tick
from simulators.recording import Recorder

_log = logging.getLogger(__name__)

HISTORY_FILE = "history.duckdb"
"""In the data folder; the other files of the history lie in ``history.files`` beside it."""

_FIGURES = "figures"
_ALARMS = "alarms"
_SAVE_SECONDS = 60.0
_DRAIN_SECONDS = 3.0
_READY_TICKS_LATE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a site is run, apart from what it is."""

    data: Path
    """Folder of the journal, the history, lessons and dead letters; made if it is not there."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    tick_period: int = NANOSECONDS
    """Between ticks, ns of the clock."""
    record: Path | None = None
    """Where to write everything the collectors saw, to be replayed."""
    on_listening: Callable[[int], None] = lambda _: None
    """Told the port once the console is served."""


class Platform:
    """Collection, ingest, alarms, stores and console of one site."""

    def __init__(
        self, loaded: LoadedSite, clock: Clock, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        """Wire everything; nothing is connected yet, and of files only the lessons are read."""
        site = loaded.site
        self.catalogue = build_catalogue(site)
        self.image = LiveImage(self.catalogue.point_count)
        self.derived = Derived(site, self.catalogue)
        self.board = AlarmBoard()
        self.signal = TickSignal()
        self._loaded = loaded
        self._clock = clock
        self._settings = settings
        self._environ = environ
        plan = loaded.plan_with_passwords(environ)
        endpoints = {b.device: b.endpoint for b in plan.modbus} | {b.device: b.broker for b in plan.mqtt}
        seen = Image(self.image.values, self.image.times, self.image.quality)
        self._alarms = AlarmWatch(site, self.catalogue, loaded.rules, self.board, seen, endpoints=endpoints)
        self.history = DuckHistory(settings.data / HISTORY_FILE, clock, loaded.retention)
        self._snapshots = Snapshots(settings.data / "snapshots", self.history, clock)
        self._stores = (self.history, *(build_store(config, environ) for config in loaded.stores))
        names = tuple(store.name for store in self._stores)
        self.spool = Spool(Journal(settings.data / "journal.sqlite", self.catalogue, names), names, clock)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(site, frozenset(b.device for b in plan.mqtt)),
            device_points=site.point_count,
            clock=clock,
            hand_over=self.spool.put,
            derive=self.derived,
            watch=self._watch,
        )
        self._recorder = self._recording_to(settings.record) if settings.record is not None else None
        self.collection = Collection(
            plan, clock, self._recorder or self.tick.accept, lessons=open_lessons(settings.data)
        )
        letters = DeadLetters(settings.data / "dead-letters")
        self.deliveries = tuple(
            Delivery(spool=self.spool, store=store, dead_letters=letters) for store in self._stores
        )
        self._notifiers: list[Notifier] = []
        self._restored = False

    async def run(self, until: asyncio.Event) -> None:
        """Run until the event is set, then stop in order: collectors, tick, stores, journal, notifiers."""
        await self._restore()
        async with AsyncExitStack() as stages:
            for each in (
                self._telling(),
                self._journalling(),
                self._storing(),
                self._showing(),
                self._ticking(),
                self._collecting(),
            ):
                await stages.enter_async_context(each)
            await until.wait()

    async def catch_up(self) -> None:
        """Close the open second and wait, at most a moment, until the history has everything."""
        self.tick.close(self._clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self.spool.stats.waiting_points or self.deliveries[0].backlog.points:
                    await self.spool.changed()

    def readiness(self) -> list[tuple[str, bool, str]]:
        """(check, passed, detail) of everything that collecting and storing needs."""
        totals = self.collection.totals()
        journal = self.spool.stats
        age = (self._clock.now() - self.signal.time) / NANOSECONDS if self.signal.number else None
        late = _READY_TICKS_LATE * self._settings.tick_period / NANOSECONDS
        checks = [
            ("collection", totals.polls_done > 0, f"{totals.polls_done} polls done"),
            ("tick", age is not None and age <= late, "none yet" if age is None else f"{age:.0f} s ago"),
            ("journal", journal.available, journal.error or "accepting"),
        ]
        checks.extend(
            (f"store {each.name}", each.stats.available, each.stats.error or "taking readings")
            for each in self.deliveries
        )
        return checks

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Notifiers: the last to stop, so that what stopping clears is still told."""
        async with aiohttp.ClientSession() as session:
            self._notifiers = [
                build_notifier(
                    config,
                    site=self._loaded.site.name,
                    session=session,
                    active=self.board.active,
                    environ=self._environ,
                )
                for config in self._loaded.notifiers
            ]
            for notifier in self._notifiers:
                self.board.listen(notifier.offer)
            self._alarms.resume(self._clock.now())
            async with stage({f"notifier {each.name}": each.run() for each in self._notifiers}):
                yield
                for notifier in self._notifiers:
                    await notifier.flush(_DRAIN_SECONDS if not notifier.lost else 0.0)

    @asynccontextmanager
    async def _journalling(self) -> AsyncIterator[None]:
        async with stage({"journal": self.spool.run()}):
            yield
            await self._save()
        await self.spool.close()

    @asynccontextmanager
    async def _storing(self) -> AsyncIterator[None]:
        async with stage({f"store {each.name}": each.run() for each in self.deliveries}):
            yield
            await self._until_journalled()
        for delivery in self.deliveries:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await delivery.finish()
        for store in self._stores:
            await store.close()

    @asynccontextmanager
    async def _showing(self) -> AsyncIterator[None]:
        settings = self._settings
        console = serve(
            self._context(), host=settings.host, port=settings.port, on_listening=settings.on_listening
        )
        async with stage({"console": console}):
            yield
            self.signal.close()

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        ticking = {"tick": self.tick.run(self._settings.tick_period), "memory": self._save_regularly()}
        async with stage(ticking):
            yield
        self.tick.close(self._clock.now())

    @asynccontextmanager
    async def _collecting(self) -> AsyncIterator[None]:
        recording = {"recording": self._recorder.run()} if self._recorder is not None else {}
        async with stage(recording), stage({"collection": self.collection.run()}):
            yield

    def _recording_to(self, path: Path) -> Recorder:
        series = tuple(islice(self.catalogue.series(), self._loaded.site.point_count))
        return Recorder(path, series, forward=self.tick.accept)

    def _watch(self, now: int) -> None:
        self._alarms.watch(now)
        self.signal.notify(now)

    def _context(self) -> ConsoleContext:
        exposition = Exposition(self._loaded.site, self.catalogue)
        registry = self._registry()
        return ConsoleContext(
            site=self._loaded.site,
            catalogue=self.catalogue,
            clock=self._clock,
            image=self.image,
            alarms=self.board,
            collection=self.collection,
            history=self.history.history,
            take_snapshot=self._snapshots.take,
            metrics=lambda: (CONTENT_TYPE, exposition.render(self.image, self._clock.now(), registry)),
            readiness=self.readiness,
            ticks=self.signal,
        )

    def _registry(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(BuildMetrics())
        registry.register(TickMetrics(self.tick, self.image))
        registry.register(JournalMetrics(self.spool))
        registry.register(DeliveryMetrics(self.deliveries, self.spool, self._clock))
        registry.register(HistoryMetrics(self.history))
        registry.register(CollectionMetrics(self.collection))
        registry.register(AlarmMetrics(self.board))
        registry.register(NotificationMetrics(lambda: self._notifiers))
        registry.register(CorrectionMetrics(self.derived.corrections))
        return registry

    async def _restore(self) -> None:
        """Take up what an earlier run remembered. What can't be read is begun anew, which is said."""
        try:
            figures = await self.spool.load_state(_FIGURES)
            alarms = await self.spool.load_state(_ALARMS)
        except JournalUnavailableError as error:
            # Saving waits too: what is remembered there must not be overwritten by a beginning.
            _log.debug("nothing can be restored yet: %s", error)  # the spool warns of its journal
            return
        try:
            if figures is not None:
                self.derived.restore(decode(figures))
            if alarms is not None:
                self.board.restore(alarms)
        except (MemoryUnreadableError, SnapshotError) as error:
            _log.warning("starting without what was remembered: %s", error)
        self._restored = True

    async def _save(self) -> None:
        if not self._restored:
            await self._restore()
            if self._restored:
                self._alarms.resume(self._clock.now())
            return
        with contextlib.suppress(JournalUnavailableError):
            await self.spool.save_state(_FIGURES, encode(self.derived.remember()))
            await self.spool.save_state(_ALARMS, self.board.snapshot())

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await self._save()

    async def _until_journalled(self) -> None:
        """Wait until the last batch is in the journal, at most a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self.spool.stats.waiting_points:
                    await self.spool.changed()
