"""One site, running: everything wired, started in stages and stopped in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry, ProcessCollector

from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from alerting.errors import SnapshotError
from alerting.evaluation import Image
from alerting.watch import AlarmWatch
from collectors.collection import Collection
from collectors.keeping import Keeping
from console.context import ConsoleContext
from console.server import serve
from console.ticks import TickSignal
from dcops.cpu_stages import CpuStages
from dcops.endpoint_metrics import EndpointExposition
from dcops.lessons_file import open_lessons
from dcops.loop_watch import LoopWatch
from dcops.memory import MemoryUnreadableError, decode, encode
from dcops.metrics import (
    AlarmMetrics,
    BuildMetrics,
    CollectionMetrics,
    CorrectionMetrics,
    HistoryMetrics,
    NotificationMetrics,
)
from dcops.outputs import build_notifier, build_stores
from dcops.process_health import ProcessMetrics, Workings
from dcops.rejected_messages import RejectedMessages
from dcops.scrape import Scrape
from dcops.site_file import LoadedSite
from dcops.snapshots import Snapshots
from dcops.stages import stage
from dcops.stopping import StopBudget
from facility.catalogue import build_catalogue
from facility.clock import Clock
from facility.derived import Derived
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery, Pace
from ingest.errors import JournalUnavailableError
from ingest.exposition import Exposition
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.metrics import DeliveryMetrics, JournalMetrics, TickMetrics
from ingest.point_exposition import PointExposition
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
_ALARM_SECONDS = 1.0
"""Between two looks whether alarms have changed and are to be saved."""
_DRAIN_SECONDS = 3.0
_FINISH_SECONDS = 1.5
"""For what the stores lack at the stop; the journal keeps what they don't take."""
_CLOSE_SECONDS = 1.0
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
    speed: float = 1.0
    """Seconds of the clock a real second."""
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
        self.cpu = CpuStages()
        self.loop = LoopWatch(clock)
        self._alarms = AlarmWatch(site, self.catalogue, loaded.rules, self.board, seen, endpoints=endpoints)
        self.history = DuckHistory(settings.data / HISTORY_FILE, clock, loaded.retention)
        self._snapshots = Snapshots(settings.data / "snapshots", self.history, clock)
        named = build_stores(loaded.stores, self.catalogue, environ)
        self._stores = (self.history, *named.stores)
        self._answering = named.answering or self.history
        names = tuple(store.name for store in self._stores)
        kept = loaded.journal
        journal = Journal(settings.data / "journal.sqlite", self.catalogue, names, kept.limits)
        self.spool = Spool(journal, names, clock, kept.memory, kept.commit)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(site, frozenset(b.device for b in plan.mqtt)),
            device_points=site.point_count,
            clock=clock,
            hand_over=self.spool.put,
            derive=self.cpu.timed("rollups", self.derived),
            watch=self.cpu.timed("alarms", self._watch),
        )
        self.cpu.also("tick", lambda: self.tick.stats.cpu, holding=("rollups", "alarms"))
        accept = self.cpu.timed("validate", self.tick.accept)
        self._recorder = self._recording_to(settings.record) if settings.record is not None else None
        self._rejected = RejectedMessages(settings.data, clock)
        self.collection = Collection(
            plan,
            clock,
            self._recorder or accept,
            emit_scans=None if self._recorder else self.cpu.timed("validate", self.tick.accept_scans),
            lessons=open_lessons(settings.data),
            keeping=Keeping(
                number=lambda: self.tick.open_number, hurry=self._hurry, listen=self.spool.on_settled
            ),
            set_aside=self._rejected.put,
        )
        letters = DeadLetters(settings.data / "dead-letters", clock)
        pace = Pace(seconds=settings.speed, live=2.0 * settings.speed)
        rates = (pace.backlog, *named.backlog_rates)
        self.deliveries = tuple(
            Delivery(
                spool=self.spool,
                store=store,
                dead_letters=letters,
                clock=clock,
                pace=replace(pace, backlog=rate),
            )
            for store, rate in zip(self._stores, rates, strict=True)
        )
        self._workings = Workings(
            clock=clock,
            cpu=self.cpu,
            loop=self.loop,
            collection=self.collection,
            tick=self.tick,
            image=self.image,
            device_points=site.point_count,
            spool=self.spool,
            deliveries=self.deliveries,
        )
        self._notifiers: list[Notifier] = []
        self._restored = False
        self.stopping = StopBudget()

    async def run(self, until: asyncio.Event) -> None:
        """Run until the event is set, then stop in order: collectors, tick, stores, journal, notifiers."""
        await self._restore()
        async with stage({"loop watch": self.loop.run()}), AsyncExitStack() as stages:
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
            self.stopping.begin()

    async def catch_up(self) -> None:
        """Close the open second and wait, at most a moment, until the history has everything."""
        self.tick.close(self._clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.spool.flush()
                while self.deliveries[0].backlog.points:
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
                left = self.stopping.left(_DRAIN_SECONDS)
                await asyncio.gather(*(each.flush(0.0 if each.lost else left) for each in self._notifiers))

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
            await self.spool.flush()
        reached = [each for each in self.deliveries if each.stats.available]
        stopping = self.stopping
        await asyncio.gather(*(stopping.give(each.finish(), _FINISH_SECONDS) for each in reached))
        await asyncio.gather(
            *(stopping.end(f"store {each.name}", each.close(), _CLOSE_SECONDS) for each in self._stores)
        )

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
        recording["rejected messages"] = self._rejected.run()
        async with stage(recording), stage({"collection": self.collection.run()}):
            yield

    def _recording_to(self, path: Path) -> Recorder:
        series = tuple(islice(self.catalogue.series(), self._loaded.site.point_count))
        return Recorder(path, series, forward=self.tick.accept)

    def _hurry(self) -> None:
        """Somebody waits for the journal: a broker that sends no more before."""
        self.tick.hurry()
        self.spool.hurry()

    def _watch(self, now: int) -> None:
        self._alarms.watch(now)
        self.signal.notify(now)

    def _context(self) -> ConsoleContext:
        return ConsoleContext(
            site=self._loaded.site,
            catalogue=self.catalogue,
            clock=self._clock,
            image=self.image,
            alarms=self.board,
            collection=self.collection,
            history=self._answering.history,
            take_snapshot=self._snapshots.take,
            metrics=self._scrape(),
            readiness=self.readiness,
            process=self._workings.answer,
            ticks=self.signal,
        )

    def _scrape(self) -> Scrape:
        return Scrape(
            site=Exposition(self._loaded.site, self.catalogue),
            points=PointExposition(self._loaded.site),
            endpoints=EndpointExposition(self.collection),
            pipeline=self._registry(),
            image=self.image,
            clock=self._clock,
            cpu=self.cpu,
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
        registry.register(ProcessMetrics(self._workings))
        ProcessCollector(registry=registry)
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
        """Save everything now and then, and alarms soon after they change."""
        loop = asyncio.get_running_loop()
        due, saved = loop.time() + _SAVE_SECONDS, self._alarm_changes()
        while True:
            await asyncio.sleep(_ALARM_SECONDS)
            changes = self._alarm_changes()
            if loop.time() >= due:
                await self._save()
                due, saved = loop.time() + _SAVE_SECONDS, changes
            elif changes != saved and self._restored:
                with contextlib.suppress(JournalUnavailableError):
                    await self.spool.save_state(_ALARMS, self.board.snapshot())
                    saved = changes

    def _alarm_changes(self) -> int:
        return self.board.raised_total + self.board.cleared_total
