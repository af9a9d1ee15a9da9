"""One site, running: everything wired, started in stages and stopped in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry, ProcessCollector

from alerting.board import AlarmBoard
from alerting.delivery import Notifier
from alerting.platform_alarms import PlatformAlarms
from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan
from collectors.keeping import Keeping
from console.context import ConsoleContext
from console.server import serve
from console.showing import Showing, Shown
from console.ticks import TickSignal
from dcops.background import let_go
from dcops.cpu_stages import CpuStages
from dcops.crew.crew import Crew
from dcops.crew.metrics import MemberMetrics
from dcops.disk_space import DiskSpace
from dcops.endpoint_metrics import EndpointExposition
from dcops.keepsakes import Keepsakes
from dcops.lessons_file import open_lessons
from dcops.live_site import LiveSite, Successor
from dcops.loop_watch import LoopWatch
from dcops.metrics import (
    AlarmMetrics,
    BuildMetrics,
    CollectionMetrics,
    CorrectionMetrics,
    HistoryMetrics,
    NotificationMetrics,
    SiteMetrics,
)
from dcops.out_of_touch import Source, sources_of
from dcops.outputs import build_notifier, build_stores
from dcops.pipeline_conditions import Pipeline, PipelineConditions
from dcops.process_health import ProcessMetrics, Workings
from dcops.rejected_messages import RejectedMessages
from dcops.reloading import Reloader
from dcops.scrape import Scrape
from dcops.settings import Settings
from dcops.site_file import LoadedSite
from dcops.snapshots import Snapshots
from dcops.stages import stage
from dcops.stopping import StopBudget
from facility.catalogue import Catalogue
from facility.clock import Clock
from facility.counters import Finding
from facility.moves import find_moves, unmoved
from facility.sample import NANOSECONDS
from ingest.catalogues import keep_catalogue
from ingest.delivery import Delivery, Pace
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.metrics import DeliveryMetrics, JournalMetrics, StoringMetrics, TickMetrics
from ingest.spool import Spool
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.duckdb import DuckHistory
from ingest.storing import ByException
from ingest.tick import Tick
from simulators.recording import Recorder

_log = logging.getLogger(__name__)

HISTORY_FILE = "history.duckdb"
"""In the data folder; the other files of the history lie in ``history.files`` beside it."""

_FEW_READINGS = 20_000
"""The history takes fewer than these every other second: a write costs as much as thousands of them."""
_DRAIN_SECONDS = 3.0
_FINISH_SECONDS = 1.5
"""For what the stores lack at the stop; the journal keeps what they don't take."""
_CLOSE_SECONDS = 1.0
_READY_TICKS_LATE = 5


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
        role = settings.role
        self._plan = plan = loaded.plan_with_passwords(environ)
        self.live = live = LiveSite(
            loaded, plan, self.board, shards=role.elsewhere(plan), sources=self._sources
        )
        """What is computed of the site as it is loaded now."""
        self.cpu = CpuStages()
        self.loop = LoopWatch(clock)
        self.history = DuckHistory(settings.data / HISTORY_FILE, clock, loaded.retention)
        self._snapshots = Snapshots(settings.data / "snapshots", self.history, clock)
        self._named = named = build_stores(loaded.stores, live.catalogue, environ)
        self._stores = (self.history, *named.stores)
        self._answering = named.answering or self.history
        names = tuple(store.name for store in self._stores)
        kept = loaded.journal
        journal = Journal(settings.data / "journal.sqlite", live.catalogue, names, kept.limits)
        self.spool = Spool(journal, names, clock, kept.memory, kept.commit)
        self.by_exception = ByException(self.spool.put)
        self.by_exception.use(live.storing, live.catalogue.point_count)
        self.spool.on_settled(self.by_exception.settled)
        self.tick = Tick(
            image=live.image,
            staleness=live.silence,
            device_points=loaded.site.point_count,
            clock=clock,
            hand_over=self.by_exception,
            derive=self.cpu.timed("rollups", live.derived),
            watch=self.cpu.timed("alarms", self._watch),
        )
        self.cpu.also("tick", lambda: self.tick.stats.cpu, holding=("rollups", "alarms"))
        accept = self.cpu.timed("validate", self.tick.accept)
        self.spool.before_commit(self.tick.hurry)
        self._recorder = self._recording_to(settings.record) if settings.record is not None else None
        self._rejected = RejectedMessages(settings.data, clock)
        self._crew = Crew(
            role,
            plan,
            keep_catalogue(live.catalogue),
            data=settings.data,
            clock=clock,
            tick=self.tick,
            spool=self.spool,
            accept=self.cpu.timed("validate", self.tick.accept_batch),
        )
        self.collection = Collection(
            role.itself(plan),
            clock,
            self._recorder or accept,
            emit_scans=None if self._recorder else self.cpu.timed("validate", self.tick.accept_scans),
            lessons=open_lessons(settings.data),
            keeping=self._keeping(),
            set_aside=self._rejected.put,
        )
        self.tick.before_close(self.collection.flush)
        self._collecting_all = self._crew.seen(self.collection)
        self.deliveries = self._deliver(named.backlog_rates)
        self._workings = Workings(
            clock=clock,
            cpu=self.cpu,
            loop=self.loop,
            collection=self._collecting_all,
            tick=self.tick,
            live=lambda: self.live,
            spool=self.spool,
            deliveries=self.deliveries,
        )
        self._notifiers: list[Notifier] = []
        self._keepsakes = Keepsakes(self.spool, self.board, lambda: self.live, clock, lambda: self._notifiers)
        self._pipeline = self._registry()
        self.reloader = Reloader(self, settings.load, loaded, clock)
        self._pages = Showing(self._view(live))
        self._disk = DiskSpace(settings.data)
        self._own_alarms = PlatformAlarms(self.board)
        self._conditions = self._find_conditions(kept.memory)
        self.stopping = StopBudget()

    def _keeping(self) -> Keeping:
        """How collectors learn what has become of readings."""
        return Keeping(
            number=lambda: self.tick.open_number,
            hurry=self._hurry,
            note=self.spool.note,
            recall=self.spool.recall,
            listen=self.spool.on_settled,
            tell_no_more=self.spool.tell_no_more,
        )

    def _deliver(self, backlog_rates: Iterable[float]) -> tuple[Delivery, ...]:
        """A delivery to each store, the history's first; ``backlog_rates`` are of the others."""
        settings, clock = self._settings, self._clock
        letters = DeadLetters(settings.data / "dead-letters", clock)
        speed = settings.speed
        pace = Pace(seconds=speed, live=2.0 * speed)
        unhurried = replace(pace, few=_FEW_READINGS, few_seconds=2.0 * speed, live=4.0 * speed)
        paces = (unhurried, *(replace(pace, backlog=rate) for rate in backlog_rates))
        return tuple(
            Delivery(spool=self.spool, store=store, dead_letters=letters, clock=clock, pace=each)
            for store, each in zip(self._stores, paces, strict=True)
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
                self._showing(),
                self._ticking(),
                self._collecting(),
                stage({"reload": self.reloader.run()}),
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
        if live.image is self.live.image:
            moves, kept, shown = unmoved(live.catalogue), None, self._pages.current
        else:
            moves = find_moves(self.live.catalogue, live.catalogue)
            kept, shown = keep_catalogue(live.catalogue), Shown(self._view(live))
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
        await let_go(*(each for each in former if each not in {live, successor.shown}))

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
        role = self._settings.role
        totals = self._collecting_all.totals()
        journal = self.spool.stats
        age = (self._clock.now() - self.signal.time) / NANOSECONDS if self.signal.number else None
        late = _READY_TICKS_LATE * self._settings.tick_period / NANOSECONDS
        checks = [
            # Shards have to find the head before anything is collected.
            ("collection", totals.polls_done > 0 or role.is_head, f"{totals.polls_done} polls done"),
            ("tick", age is not None and age <= late, "none yet" if age is None else f"{age:.0f} s ago"),
            ("journal", journal.available, journal.error or "accepting"),
            ("site", True, self.reloader.detail()),
        ]
        checks.extend(
            (f"store {each.name}", each.stats.available, each.stats.error or "taking readings")
            for each in self.deliveries
        )
        return checks

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Notifiers: the last to stop, after what they have not told is saved."""
        async with aiohttp.ClientSession() as session:
            self._notifiers = [
                build_notifier(
                    config,
                    site=self.live.loaded.site.name,
                    session=session,
                    active=self.board.active,
                    environ=self._environ,
                )
                for config in self.live.loaded.notifiers
            ]
            for notifier in self._notifiers:
                self.board.listen(notifier.offer)
            self._keepsakes.hand_on()
            self.live.alarms.resume(self._clock.now())
            async with stage({f"notifier {each.name}": each.run() for each in self._notifiers}):
                yield

    @asynccontextmanager
    async def _journalling(self) -> AsyncIterator[None]:
        async with stage({"journal": self.spool.run()}):
            yield
            left = self.stopping.left(_DRAIN_SECONDS)
            await asyncio.gather(*(each.flush(0.0 if each.lost else left) for each in self._notifiers))
            await self._keepsakes.save()
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
            self._pages, host=settings.host, port=settings.port, on_listening=settings.on_listening
        )
        async with stage({"console": console}):
            yield
            self.signal.close()

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        ticking = {
            "tick": self.tick.run(self._settings.tick_period),
            "memory": self._keepsakes.run(),
            "disk space": self._disk.run(),
        }
        async with stage(ticking):
            yield
        self.tick.close(self._clock.now())

    @asynccontextmanager
    async def _collecting(self) -> AsyncIterator[None]:
        recording = {"recording": self._recorder.run()} if self._recorder is not None else {}
        recording["rejected messages"] = self._rejected.run()
        async with stage(recording), stage({"collection": self.collection.run(), **self._crew.work()}):
            yield

    def _recording_to(self, path: Path) -> Recorder:
        series = tuple(islice(self.live.catalogue.series(), self.live.loaded.site.point_count))
        return Recorder(path, series, forward=self.tick.accept)

    def _sources(self) -> Iterator[Source]:
        return sources_of(self.collection, self._crew.members)

    def _hurry(self) -> None:
        """Somebody waits for the journal: a broker that sends no more before."""
        self.tick.hurry()
        self.spool.hurry()

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
                endpoints=EndpointExposition(self._collecting_all),
                pipeline=self._pipeline,
                clock=self._clock,
                cpu=self.cpu,
            ),
            readiness=self.readiness,
            process=self._workings.answer,
            ticks=self.signal,
            keeper=self.reloader,
        )

    def _corrections(self) -> Mapping[Finding, int]:
        return self.live.derived.corrections()

    def _registry(self) -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(BuildMetrics())
        registry.register(SiteMetrics(lambda: self.reloader.state))
        registry.register(TickMetrics(self.tick))
        registry.register(StoringMetrics(self.by_exception))
        registry.register(JournalMetrics(self.spool))
        registry.register(DeliveryMetrics(self.deliveries, self.spool, self._clock))
        registry.register(HistoryMetrics(self.history))
        registry.register(CollectionMetrics(self._collecting_all))
        if self._crew.members:
            registry.register(MemberMetrics(self._crew.members))
        registry.register(AlarmMetrics(self.board))
        registry.register(NotificationMetrics(lambda: self._notifiers))
        registry.register(CorrectionMetrics(self._corrections))
        registry.register(ProcessMetrics(self._workings))
        ProcessCollector(registry=registry)
        return registry
