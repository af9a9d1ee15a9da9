"""One shard of a site, running: it collects its share, journals it and hands it to the head.

It computes nothing: totals of a share would look like those of the site. It keeps no history and raises no
alarms either; all that is the head's.
"""

import asyncio
import contextlib
import logging
import resource
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import orjson
from prometheus_client import CollectorRegistry

from alerting.board import AlarmBoard
from collectors.changes import compare
from collectors.config import CollectionPlan, host_and_port
from collectors.shares import Share
from console.context import ConsoleContext
from console.showing import Showing, Shown
from console.ticks import TickSignal
from dcops.collecting import Collecting
from dcops.cpu_stages import CpuStages
from dcops.crew.metrics import ShardMetrics, ShardScrape
from dcops.crew.report import Condition, Reporter
from dcops.crew.shard_memory import ShardMemory
from dcops.crew.shard_site import ShardSite, ShardSuccessor
from dcops.journalling import open_spool
from dcops.loop_watch import LoopWatch
from dcops.metrics import registered
from dcops.out_of_touch import Source, sources_of
from dcops.pipeline_metrics import pipeline_metrics
from dcops.process_health import Workings
from dcops.reloading import Reloader
from dcops.serving import serving
from dcops.settings import Settings
from dcops.site_file import LoadedSite
from dcops.stages import stage
from dcops.standing_keeping import StandingKeeping
from dcops.stopping import StopBudget
from dcops.system_clock import ageing_by
from facility.clock import Clock
from facility.moves import find_moves
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery, Pace
from ingest.errors import StoreUnavailableError
from ingest.point_exposition import PointExposition
from ingest.spool import Spool
from ingest.stores import History
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.head import REPORTS_PATH, TIMEOUT_SECONDS, HeadStore
from ingest.stores.http_client import HttpTarget
from ingest.tick import Tick

_log = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
PACE = Pace(seconds=0.25)
TICK_PERIOD = NANOSECONDS // 2
"""Half a second: what is read waits no longer until it goes to the journal and on to the head."""

_FINISH_SECONDS = 1.5
_CLOSE_SECONDS = 1.0


class Shard:
    """Collection, journal and delivery of one share of a site."""

    def __init__(
        self,
        loaded: LoadedSite,
        clock: Clock,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        share: Share,
        tls_ca: Path | None = None,
    ) -> None:
        """Wire everything; nothing is connected yet, and of files only the lessons are read.

        ``tls_ca`` holds certificates of the authorities to trust for the head in place of the system's.
        """
        self.share = share
        self._clock = clock
        self._settings = settings
        self._environ = environ
        plan = loaded.plan_with_passwords(environ)
        self.live = self._site(loaded, plan)
        """The site as it is loaded now."""
        self.signal = TickSignal()
        self.stopping = StopBudget()
        self._url = ""
        self._process = uuid.uuid4().hex
        self._store = self._head(tls_ca)
        self.spool = self._journal(loaded)
        self.tick = self._ticker()
        self.spool.before_commit(self.tick.hurry)
        self._collecting = Collecting(
            plan, self.live.kept, settings=settings, clock=clock, tick=self.tick, spool=self.spool
        )
        self._own = self._collecting.own
        self._crew = self._collecting.crew
        self.collection = self._collecting.all
        """All that the shard collects, its workers' part included."""
        self.delivery = self._to_head()
        self.reloader: Reloader[ShardSuccessor] = Reloader(self, settings.load, loaded, clock)
        self._memory = ShardMemory(
            StandingKeeping(self.spool, lambda: (self.live.silence, self.live.image), clock)
        )
        self._loop = LoopWatch(clock)
        self._workings = self._look_inside()
        self._pipeline = self._registry()
        self._pages = Showing(self._view(self.live))

    def _journal(self, loaded: LoadedSite) -> Spool:
        settings, stores = self._settings, (self._store.name,)
        ageing = ageing_by(self._clock, believed=settings.believe_clock)
        catalogue = self.live.kept.catalogue
        return open_spool(loaded.journal, settings.data, catalogue, stores, self._clock, ageing=ageing)

    def _ticker(self) -> Tick:
        return Tick(
            image=self.live.image,
            staleness=self.live.silence,
            device_points=self.live.loaded.site.point_count,
            clock=self._clock,
            hand_over=self.spool.put,
            watch=self.signal.notify,
        )

    def _to_head(self) -> Delivery:
        return Delivery(
            spool=self.spool,
            store=self._store,
            dead_letters=DeadLetters(self._settings.data / "dead-letters", self._clock),
            clock=self._clock,
            pace=PACE,
        )

    def _look_inside(self) -> Workings:
        return Workings(
            clock=self._clock,
            cpu=CpuStages(),
            loop=self._loop,
            collection=self.collection,
            tick=self.tick,
            live=lambda: self.live,
            spool=self.spool,
            deliveries=(self.delivery,),
        )

    def _site(self, loaded: LoadedSite, plan: CollectionPlan) -> ShardSite:
        return ShardSite(loaded, plan, self._settings.role.share(plan), self._sources)

    def _sources(self) -> Iterator[Source]:
        return sources_of(self._own, self._crew.members)

    def _head(self, tls_ca: Path | None) -> HeadStore:
        role, share = self._settings.role, self.share
        target = HttpTarget(url=role.head, token=role.token, timeout=TIMEOUT_SECONDS, tls_ca=tls_ca)
        return HeadStore(target, self.live.kept, self._clock, index=share.index, count=share.count)

    async def run(self, until: asyncio.Event) -> None:
        """Run until the event is set, then stop in order: collectors, tick, delivery, journal."""
        await self._memory.restore()
        async with stage({"loop watch": self._loop.run()}), AsyncExitStack() as stages:
            for each in (
                self._journalling(),
                self._delivering(),
                serving(self._pages, self.signal, self._settings, self._listening),
                self._ticking(),
                self._collecting.running(),
                stage({"reload": self.reloader.run(), "memory": self._memory.run()}),
            ):
                await stages.enter_async_context(each)
            await until.wait()
            self.stopping.begin()

    def build(self, loaded: LoadedSite) -> ShardSuccessor:
        """Make everything that a site needs to take the place of the one that runs; may run in any thread."""
        role = self._settings.role
        plan = loaded.plan_with_passwords(self._environ)
        live = self._site(loaded, plan)
        return ShardSuccessor(
            live=live,
            change=compare(role.share(self.live.plan), role.share(plan)),
            own=compare(self._own.plan, role.itself(plan)),
            crew=self._crew.prepare(plan, live.kept),
            moves=find_moves(self.live.kept.catalogue, live.kept.catalogue),
            shown=Shown(self._view(live)),
        )

    async def go_over(self, successor: ShardSuccessor) -> None:
        """Put a site in the place of the one that runs, in one turn of the loop."""
        over = await self._own.prepare(successor.own)
        live = successor.live
        self._own.flush()
        live.image.take_over(self.live.image, successor.moves.runs)
        live.silence.take_over(self.live.silence)
        self.tick.change_site(
            image=live.image,
            staleness=live.silence,
            device_points=live.loaded.site.point_count,
            derive=None,
        )
        self.spool.change_catalogue(live.kept)
        self._store.use(live.kept)
        self._own.change(over)
        self._crew.change(successor.crew)
        self.live = live
        self._pages.change(successor.shown)

    def readiness(self) -> list[tuple[str, bool, str]]:
        """(check, passed, detail) of everything that collecting and handing on needs."""
        totals = self.collection.totals()
        journal, head = self.spool.stats, self.delivery.stats
        endpoints = len(self.collection.endpoints())
        return [
            (
                "shard",
                True,
                f"{self.share} of {self.live.loaded.site.name}, for the head at {self._store.url}",
            ),
            (
                "collection",
                totals.polls_done > 0 or not endpoints,
                f"{totals.polls_done} polls done of {endpoints} endpoints",
            ),
            ("journal", journal.available, journal.error or "accepting"),
            ("site", True, self.reloader.detail()),
            ("head", head.available, head.error or "taking readings"),
        ]

    @asynccontextmanager
    async def _journalling(self) -> AsyncIterator[None]:
        try:
            async with stage({"journal": self.spool.run()}):
                yield
                await self._memory.save(last=True)
        finally:  # what was read is kept, whatever part of the program has failed
            await self.spool.close()

    @asynccontextmanager
    async def _delivering(self) -> AsyncIterator[None]:
        async with stage({"head": self.delivery.run(), "reports": self._report_regularly()}):
            yield
            await self.spool.flush()
        if self.delivery.stats.available:
            await self.stopping.give(self.delivery.finish(), _FINISH_SECONDS)
        await self.stopping.end("head", self._store.close(), _CLOSE_SECONDS)

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        try:
            async with stage({"tick": self.tick.run(TICK_PERIOD)}):
                yield
        finally:
            self.tick.close(self._clock.now())

    def _listening(self, port: int) -> None:
        self._url = f"http://{host_and_port(self._settings.host, port)}/"
        self._settings.on_listening(port)

    async def _report_regularly(self) -> None:
        """Tell the head how collecting goes. Whether it can be reached is said by the delivery."""
        anew = True
        reporter = Reporter(self.collection, self._condition)
        while True:
            body = await reporter.write(everything=anew)
            try:
                answer = await asyncio.to_thread(self._store.send, REPORTS_PATH, body, compress=True)
            except StoreUnavailableError as error:
                _log.debug("no report: %s", error)
                anew = True  # a head that starts anew is told everything
            else:
                if anew:
                    self.delivery.try_again()
                anew = False
                self._obey(answer)
            await asyncio.sleep(REPORT_SECONDS)

    def _obey(self, answer: bytes) -> None:
        """Forget the lessons that the head was asked to have forgotten."""
        orders = read_orders(answer)
        if orders is None:
            _log.warning("the head at %s answers a report with what is no orders", self._store.url)
            return
        for device in orders:
            with contextlib.suppress(KeyError):
                self.collection.forget(device or None)

    def _condition(self) -> Condition:
        used = resource.getrusage(resource.RUSAGE_SELF)
        stats = self.spool.stats
        return Condition(
            index=self.share.index,
            count=self.share.count,
            catalogue=self.live.kept.digest,
            sent=self._clock.now(),
            process=self._process,
            url=self._url,
            waiting=self.delivery.backlog.points + stats.waiting_points,
            lost=stats.dropped + self.tick.counts.dropped + stats.undelivered.get(self._store.name, 0),
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory=used.ru_maxrss << 10,
        )

    def _view(self, live: ShardSite) -> ConsoleContext:
        return ConsoleContext(
            site=live.loaded.site,
            catalogue=live.kept.catalogue,
            clock=self._clock,
            image=live.image,
            alarms=AlarmBoard(),
            collection=self.collection,
            collectors=self._crew.healths,
            history=self._no_history,
            take_snapshot=self._no_snapshot,
            metrics=ShardScrape(
                points=PointExposition(live.loaded.site),
                endpoints=self._collecting.endpoint_text,
                pipeline=self._pipeline,
                image=live.image,
            ),
            readiness=self.readiness,
            process=self._workings.answer,
            ticks=self.signal,
            keeper=self.reloader,
            part=f"shard {self.share}",
        )

    def _registry(self) -> CollectorRegistry:
        """How the shard does."""
        shared = pipeline_metrics(
            self._workings,
            collection=self.collection,
            state=lambda: self.reloader.state,
            members=self._crew.members,
        )
        return registered((*shared, ShardMetrics(self.share)))

    async def _no_history(self, series: str, start: int, stop: int, step: int | None) -> History:
        self._refuse(series, start, stop, step)

    async def _no_snapshot(self) -> Path:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        raise StoreUnavailableError(
            f"shard {self.share} keeps no history", mend=f"ask the head at {self._store.url}"
        )


def read_orders(answer: bytes) -> list[str] | None:
    """Devices whose lessons the head has forgotten, of its answer to a report; None if it says no such thing.

    One that is empty stands for all.
    """
    try:
        told = orjson.loads(answer)["forget"]
    except (ValueError, KeyError, TypeError):
        return None
    return told if isinstance(told, list) and all(isinstance(each, str) for each in told) else None
