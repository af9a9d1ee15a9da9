"""One site, running: everything wired, started in stages and stopped in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.registry import Collector

from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from alerting.platform_alarms import PlatformAlarms
from collectors.changes import compare
from collectors.config import CollectionPlan
from console.context import ConsoleContext
from console.showing import Showing, Shown
from console.ticks import TickSignal
from dcops.background import Freeing
from dcops.collecting import Collecting, Takers
from dcops.cpu_stages import CpuStages
from dcops.disk_space import DiskSpace
from dcops.journalling import open_spool
from dcops.keepsakes import Keepsakes
from dcops.live_site import LiveSite, Successor
from dcops.loop_watch import LoopWatch
from dcops.metrics import AlarmMetrics, CorrectionMetrics, HistoryMetrics, NotificationMetrics, registered
from dcops.notifier_conditions import lasting
from dcops.out_of_touch import Source, sources_of
from dcops.outputs import build_notifiers, build_stores, deliver_to
from dcops.pipeline_conditions import Pipeline, PipelineConditions
from dcops.pipeline_metrics import pipeline_metrics
from dcops.process_health import Workings
from dcops.readiness import Readiness
from dcops.reloading import Reloader
from dcops.scrape import Scrape
from dcops.serving import serving
from dcops.settings import Settings
from dcops.site_file import LoadedSite
from dcops.snapshots import Snapshots
from dcops.stages import Work, stage
from dcops.stopping import StopBudget
from dcops.system_clock import ageing_by
from facility.catalogue import Catalogue
from facility.clock import Clock
from facility.moves import find_moves, unmoved
from ingest.catalogues import KeptCatalogue
from ingest.live_image import LiveImage
from ingest.metrics import StoringMetrics
from ingest.stores.duckdb import DuckHistory
from ingest.storing import ByException
from ingest.tick import Tick
from simulators.recording import Recorder

_log = logging.getLogger(__name__)

HISTORY_FILE = "history.duckdb"
"""In the data folder; the other files of the history lie in ``history.files`` beside it."""

_DRAIN_SECONDS = 3.0
_FINISH_SECONDS = 1.5
"""For what the stores lack at the stop; the journal keeps what they don't take."""
_CLOSE_SECONDS = 1.0


class Platform:
    """Collection, ingest, alarms, stores and console of one site."""

    def __init__(
        self, loaded: LoadedSite, clock: Clock, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        """Wire everything; nothing is connected yet, and of files only the lessons are read."""
        self.board = AlarmBoard()
        self.signal = TickSignal()
        self._clock = clock
        self._settings = settings
        self._environ = environ
        self._plan = plan = loaded.plan_with_passwords(environ)
        shards = settings.role.elsewhere(plan)
        self.live = live = LiveSite(loaded, plan, self.board, shards=shards, sources=self._sources)
        """What is computed of the site as it is loaded now."""
        self.cpu = CpuStages()
        self.loop = LoopWatch(clock)
        ageing = ageing_by(clock, believed=settings.believe_clock)
        self.history = DuckHistory(settings.data / HISTORY_FILE, clock, loaded.retention, ageing=ageing)
        self._snapshots = Snapshots(settings.data / "snapshots", self.history, clock)
        self._named = named = build_stores(loaded.stores, live.catalogue, environ)
        self._stores = (self.history, *named.stores)
        self._answering = named.answering or self.history
        names = [store.name for store in self._stores]
        self.spool = open_spool(loaded.journal, settings.data, live.catalogue, names, clock, ageing=ageing)
        self.by_exception = ByException(self.spool.put)
        self.by_exception.use(live.storing, live.catalogue.point_count)
        self.spool.on_settled(self.by_exception.settled)
        self.tick = self._tick(live)
        self.cpu.also("tick", lambda: self.tick.stats.cpu, holding=("rollups", "alarms"))
        self.spool.before_commit(self.tick.hurry)
        self._recorder = self._recording_to(settings.record) if settings.record is not None else None
        self._collecting = self._collect()
        self.collection = self._collecting.own
        self._crew = self._collecting.crew
        self._collecting_all = self._collecting.all
        self.deliveries = deliver_to(
            self._stores, named.backlog_rates, spool=self.spool, clock=clock, settings=settings
        )
        self._workings = self._look_inside()
        self._notifiers: list[Notifier] = []
        self._keepsakes = Keepsakes(self.spool, self.board, lambda: self.live, clock, lambda: self._notifiers)
        self._pipeline = self._registry()
        self.reloader = Reloader(self, settings.load, loaded, clock)
        self._readiness = self._judge_readiness()
        self._pages = Showing(self._view(live))
        self._disk = DiskSpace(settings.data)
        self._own_alarms = PlatformAlarms(self.board, lasting(settings.speed))
        self._conditions = self._find_conditions(loaded.journal.memory)
        self.stopping = StopBudget()
        self._former = Freeing()

    def _collect(self) -> Collecting:
        return Collecting(
            self._plan,
            KeptCatalogue(self.live.catalogue),
            settings=self._settings,
            clock=self._clock,
            tick=self.tick,
            spool=self.spool,
            takers=self._takers(),
        )

    def _judge_readiness(self) -> Readiness:
        return Readiness(
            totals=self._collecting_all.totals,
            polled_elsewhere=self._settings.role.is_head,
            signal=self.signal,
            tick_period=self._settings.tick_period,
            spool=self.spool,
            site=self.reloader.detail,
            deliveries=self.deliveries,
            clock=self._clock,
        )

    def _look_inside(self) -> Workings:
        return Workings(
            clock=self._clock,
            cpu=self.cpu,
            loop=self.loop,
            collection=self._collecting_all,
            tick=self.tick,
            live=lambda: self.live,
            spool=self.spool,
            deliveries=self.deliveries,
        )

    def _tick(self, live: LiveSite) -> Tick:
        return Tick(
            image=live.image,
            staleness=live.silence,
            device_points=live.loaded.site.point_count,
            clock=self._clock,
            hand_over=self.by_exception,
            derive=self.cpu.timed("rollups", live.derived),
            watch=self.cpu.timed("alarms", self._watch),
        )

    def _takers(self) -> Takers:
        """Who takes what is read: the tick, and before it who writes it to a file for replay."""
        timed, recorder = self.cpu.timed, self._recorder
        return Takers(
            samples=recorder or timed("validate", self.tick.accept),
            scans=None if recorder else timed("validate", self.tick.accept_scans),
            batches=timed("validate", self.tick.accept_batch),
        )

    def _find_conditions(self, memory: int) -> PipelineConditions:
        """What is wrong with the platform itself; ``memory`` is that for what waits for the journal."""
        pipeline = Pipeline(
            folder=self._settings.data,
            memory=memory,
            spool=self.spool,
            tick=self.tick,
            deliveries=self.deliveries,
            notifiers=lambda: self._notifiers,
            free=self._disk,
            collectors=self._crew.healths,
        )
        return PipelineConditions(pipeline, self._settings.speed)

    async def run(self, until: asyncio.Event) -> None:
        """Run until the event is set, then stop in order: collectors, tick, stores, journal, notifiers."""
        await self._keepsakes.restore()
        async with stage({"loop watch": self.loop.run()}), AsyncExitStack() as stages:
            for each in (
                self._telling(),
                self._journalling(),
                self._storing(),
                serving(self._pages, self.signal, self._settings, self._settings.on_listening),
                self._ticking(),
                self._collecting.running(self._recording),
                stage({"reload": self.reloader.run(), "former sites": self._former.run()}),
            ):
                await stages.enter_async_context(each)
            await until.wait()
            self.stopping.begin()

    @property
    def catalogue(self) -> Catalogue:
        """All series of the site as it is loaded now."""
        return self.live.catalogue

    @property
    def image(self) -> LiveImage:
        """What they are now."""
        return self.live.image

    @property
    def plan(self) -> CollectionPlan:
        """What is collected, whoever does it."""
        return self._plan

    def build(self, loaded: LoadedSite) -> Successor:
        """Make everything that a site needs to take the place of the one that runs; may run in any thread."""
        role = self._settings.role
        change = compare(self._plan, loaded.plan_with_passwords(self._environ))
        plan = change.plan
        live = LiveSite(
            loaded, plan, self.board, shards=role.elsewhere(plan), like=self.live, sources=self._sources
        )
        if live.catalogue is self.live.catalogue:
            moves, kept = unmoved(live.catalogue), None
        else:
            moves, kept = find_moves(self.live.catalogue, live.catalogue), KeptCatalogue(live.catalogue)
        same = kept is None and live.loaded.site is self.live.loaded.site
        shown = self._pages.current if same else Shown(self._view(live), self._pages.current)
        return Successor(
            live=live,
            change=change,
            own=compare(self.collection.plan, role.itself(plan)) if self._crew.members else change,
            crew=self._crew.prepare(plan, kept),
            moves=moves,
            shown=shown,
        )

    async def go_over(self, successor: Successor) -> None:
        """Put a site in the place of the one that runs. That itself happens in one turn of the loop, between
        two ticks: what was read before is of the one site, what is read after of the other.
        """
        over = await self.collection.prepare(successor.own)
        live = successor.live
        self.collection.flush()
        live.take_over(self.live, successor.moves, successor.change.anew)
        self.tick.change_site(
            image=live.image,
            staleness=live.silence,
            device_points=live.loaded.site.point_count,
            derive=self.cpu.timed("rollups", live.derived),
        )
        if successor.crew.kept is not None:
            self.by_exception.use(live.storing, live.catalogue.point_count)
            self.spool.change_catalogue(successor.crew.kept)
            self._named.use(live.catalogue)
        self.collection.change(over)
        self._crew.change(successor.crew)
        self._plan = successor.change.plan
        former = (self.live, self._pages.current)
        self.live = live
        live.alarms.resume(self._clock.now())
        self._pages.change(successor.shown)
        # Whoever asked for the change has it by now, and need not wait until the former site is freed.
        unused = (each for each in former if each not in {live, successor.shown})
        self._former.add(*unused)

    async def catch_up(self) -> None:
        """Close the open second and wait, at most a moment, until the history has everything."""
        self.tick.close(self._clock.now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self.spool.flush()
                while self.deliveries[0].backlog.points:
                    await self.spool.changed()

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Notifiers: the last to stop, after what they have not told is saved."""
        async with aiohttp.ClientSession() as session:
            self._notifiers = build_notifiers(
                self.live.loaded,
                session=session,
                active=self.board.active,
                site=lambda: self.live.loaded.site,
                environ=self._environ,
            )
            for notifier in self._notifiers:
                self.board.listen(notifier.offer)
            self._keepsakes.hand_on()
            self.live.alarms.resume(self._clock.now())
            async with stage({f"notifier {each.name}": each.run() for each in self._notifiers}):
                yield

    @asynccontextmanager
    async def _journalling(self) -> AsyncIterator[None]:
        try:
            async with stage({"journal": self.spool.run()}):
                yield
                left = self.stopping.left(_DRAIN_SECONDS)
                await asyncio.gather(*(each.flush(0.0 if each.lost else left) for each in self._notifiers))
                await self._keepsakes.save(last=True)
        finally:  # what was read is kept, whatever part of the program has failed
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
    async def _ticking(self) -> AsyncIterator[None]:
        ticking = {
            "tick": self.tick.run(self._settings.tick_period),
            "memory": self._keepsakes.run(),
            "disk space": self._disk.run(),
        }
        try:
            async with stage(ticking):
                yield
        finally:
            self.tick.close(self._clock.now())

    def _recording(self) -> dict[str, Work]:
        return {} if self._recorder is None else {"recording": self._recorder.run()}

    def _recording_to(self, path: Path) -> Recorder:
        series = tuple(islice(self.live.catalogue.series(), self.live.loaded.site.point_count))
        return Recorder(path, series, forward=self.tick.accept, started=self._clock.now())

    def _sources(self) -> Iterator[Source]:
        return sources_of(self.collection, self._crew.members)

    def _watch(self, now: int) -> None:
        self.live.alarms.watch(now)
        site = self.live.loaded.site
        self._own_alarms.watch(self._conditions(site, now), site.campus.id, now)
        self.signal.notify(now)

    def _view(self, live: LiveSite) -> ConsoleContext:
        return ConsoleContext(
            site=live.loaded.site,
            catalogue=live.catalogue,
            clock=self._clock,
            image=live.image,
            alarms=self.board,
            collection=self._collecting_all,
            collectors=self._crew.healths,
            receiver=self._crew.receiver,
            history=self._answering.history,
            take_snapshot=self._snapshots.take,
            metrics=Scrape(
                live=live,
                endpoints=self._collecting.endpoint_text,
                pipeline=self._pipeline,
                clock=self._clock,
                cpu=self.cpu,
            ),
            readiness=self._readiness.checks,
            process=self._workings.answer,
            ticks=self.signal,
            keeper=self.reloader,
        )

    def _registry(self) -> CollectorRegistry:
        shared = pipeline_metrics(
            self._workings,
            collection=self._collecting_all,
            state=lambda: self.reloader.state,
            members=self._crew.members,
        )
        own: tuple[Collector, ...] = (
            StoringMetrics(self.by_exception),
            HistoryMetrics(self.history),
            AlarmMetrics(self.board),
            NotificationMetrics(lambda: self._notifiers),
            CorrectionMetrics(lambda: self.live.derived.corrections()),  # noqa: PLW0108 - of the site of then
        )
        registry = registered((*shared, *own))
        ProcessCollector(registry=registry)
        return registry
