"""One shard of a site, running: it collects its share, journals it and hands it to the head.

It computes nothing: totals of a share would look like those of the site. It keeps no history and raises no
alarms either; all that is the head's.
"""

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import orjson
from prometheus_client import CollectorRegistry

from alerting.board import AlarmBoard
from collectors.collection import Collection
from collectors.keeping import Keeping
from collectors.shares import Share
from console.context import ConsoleContext
from console.server import serve
from console.ticks import TickSignal
from dcops.crew.crew import Crew
from dcops.crew.metrics import MemberMetrics, ShardMetrics, ShardScrape
from dcops.crew.report import Condition, write_report
from dcops.endpoint_metrics import EndpointExposition
from dcops.lessons_file import open_lessons
from dcops.metrics import BuildMetrics, CollectionMetrics
from dcops.platform import Settings
from dcops.rejected_messages import RejectedMessages
from dcops.site_file import LoadedSite
from dcops.stages import stage
from dcops.stopping import StopBudget
from facility.catalogue import build_catalogue
from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.catalogues import digest, encode_catalogue
from ingest.delivery import Delivery, Pace
from ingest.errors import StoreUnavailableError
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.metrics import DeliveryMetrics, JournalMetrics, TickMetrics
from ingest.parcels import Sender
from ingest.point_exposition import PointExposition
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.stores import History
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.head import REPORTS_PATH, TIMEOUT_SECONDS, HeadStore
from ingest.stores.http_client import HttpTarget
from ingest.tick import Tick

_log = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
DETAILS_EVERY = 12
"""So many reports from one with details to the next."""
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
        role = settings.role
        self.share = share
        self.catalogue = build_catalogue(loaded.site)
        self.image = LiveImage(self.catalogue.point_count)
        self.signal = TickSignal()
        self.stopping = StopBudget()
        self._loaded = loaded
        self._clock = clock
        self._settings = settings
        self._digest = digest(encode_catalogue(self.catalogue))
        self._url = ""
        self._store = HeadStore(
            HttpTarget(url=role.head, token=role.token, timeout=TIMEOUT_SECONDS, tls_ca=tls_ca),
            self.catalogue,
            clock,
            self._sender,
        )
        names = (self._store.name,)
        kept = loaded.journal
        journal = Journal(settings.data / "journal.sqlite", self.catalogue, names, kept.limits)
        self.spool = Spool(journal, names, clock, kept.memory, kept.commit)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(loaded.site, frozenset(b.device for b in loaded.plan.mqtt)),
            device_points=loaded.site.point_count,
            clock=clock,
            hand_over=self.spool.put,
            watch=self.signal.notify,
        )
        self._rejected = RejectedMessages(settings.data, clock)
        crew = self._crew = Crew(
            role,
            loaded.plan_with_passwords(environ),
            site=loaded.path,
            data=settings.data,
            clock=clock,
            catalogue=self.catalogue,
            tick=self.tick,
            spool=self.spool,
        )
        own = Collection(
            crew.plan,
            clock,
            self.tick.accept,
            emit_scans=self.tick.accept_scans,
            lessons=open_lessons(settings.data),
            keeping=Keeping(
                number=lambda: self.tick.open_number, hurry=self._hurry, listen=self.spool.on_settled
            ),
            set_aside=self._rejected.put,
        )
        self._own = own
        self.collection = crew.seen(own)
        """All that the shard collects, its workers' part included."""
        self.delivery = Delivery(
            spool=self.spool,
            store=self._store,
            dead_letters=DeadLetters(settings.data / "dead-letters", clock),
            clock=clock,
            pace=PACE,
        )

    async def run(self, until: asyncio.Event) -> None:
        """Run until the event is set, then stop in order: collectors, tick, delivery, journal."""
        async with AsyncExitStack() as stages:
            for each in (
                self._journalling(),
                self._delivering(),
                self._showing(),
                self._ticking(),
                self._collecting(),
            ):
                await stages.enter_async_context(each)
            await until.wait()
            self.stopping.begin()

    def readiness(self) -> list[tuple[str, bool, str]]:
        """(check, passed, detail) of everything that collecting and handing on needs."""
        totals = self.collection.totals()
        journal, head = self.spool.stats, self.delivery.stats
        endpoints = len(self.collection.endpoints())
        return [
            ("shard", True, f"{self.share} of {self._loaded.site.name}, for the head at {self._store.url}"),
            (
                "collection",
                totals.polls_done > 0 or not endpoints,
                f"{totals.polls_done} polls done of {endpoints} endpoints",
            ),
            ("journal", journal.available, journal.error or "accepting"),
            ("head", head.available, head.error or "taking readings"),
        ]

    @asynccontextmanager
    async def _journalling(self) -> AsyncIterator[None]:
        async with stage({"journal": self.spool.run()}):
            yield
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
    async def _showing(self) -> AsyncIterator[None]:
        settings = self._settings
        console = serve(self._context(), host=settings.host, port=settings.port, on_listening=self._listening)
        async with stage({"console": console}):
            yield
            self.signal.close()

    @asynccontextmanager
    async def _ticking(self) -> AsyncIterator[None]:
        async with stage({"tick": self.tick.run(TICK_PERIOD)}):
            yield
        self.tick.close(self._clock.now())

    @asynccontextmanager
    async def _collecting(self) -> AsyncIterator[None]:
        rejected = {"rejected messages": self._rejected.run()}
        async with stage(rejected), stage({"collection": self._own.run(), **self._crew.work()}):
            yield

    def _hurry(self) -> None:
        self.tick.hurry()
        self.spool.hurry()

    def _sender(self, journal: str) -> Sender:
        share = self.share
        return Sender(index=share.index, count=share.count, catalogue=self._digest, journal=journal)

    def _listening(self, port: int) -> None:
        self._url = f"http://{self._settings.host}:{port}/"
        self._settings.on_listening(port)

    async def _report_regularly(self) -> None:
        """Tell the head how collecting goes. Whether it can be reached is said by the delivery."""
        told = 0
        while True:
            body = write_report(self._condition(), self.collection, details=told % DETAILS_EVERY == 1)
            try:
                answer = await asyncio.to_thread(self._store.send, REPORTS_PATH, body, compress=True)
            except StoreUnavailableError as error:
                _log.debug("no report: %s", error)
            else:
                told += 1
                self._obey(answer)
            await asyncio.sleep(REPORT_SECONDS)

    def _obey(self, answer: bytes) -> None:
        """Forget the lessons that the head was asked to have forgotten."""
        try:
            orders: Sequence[str] = orjson.loads(answer)["forget"]
        except (ValueError, KeyError, TypeError):
            _log.warning("the head at %s answers a report with what is no orders", self._store.url)
            return
        for device in orders:
            with contextlib.suppress(KeyError):
                self.collection.forget(device or None)

    def _condition(self) -> Condition:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Condition(
            index=self.share.index,
            count=self.share.count,
            catalogue=self._digest,
            sent=self._clock.now(),
            url=self._url,
            waiting=self.delivery.backlog.points + self.spool.stats.waiting_points,
            lost=self.spool.stats.dropped + self.spool.stats.undelivered.get(self._store.name, 0),
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory=used.ru_maxrss << 10,
        )

    def _context(self) -> ConsoleContext:
        return ConsoleContext(
            site=self._loaded.site,
            catalogue=self.catalogue,
            clock=self._clock,
            image=self.image,
            alarms=AlarmBoard(),
            collection=self.collection,
            collectors=self._crew.healths,
            history=self._no_history,
            take_snapshot=self._no_snapshot,
            metrics=ShardScrape(
                points=PointExposition(self._loaded.site),
                endpoints=EndpointExposition(self.collection),
                pipeline=self._registry(),
                image=self.image,
            ),
            readiness=self.readiness,
            ticks=self.signal,
            part=f"shard {self.share}",
        )

    def _registry(self) -> CollectorRegistry:
        """How the shard does."""
        registry = CollectorRegistry()
        registry.register(BuildMetrics())
        registry.register(ShardMetrics(self.share))
        registry.register(TickMetrics(self.tick, self.image))
        registry.register(JournalMetrics(self.spool))
        registry.register(DeliveryMetrics((self.delivery,), self.spool, self._clock))
        registry.register(CollectionMetrics(self.collection))
        registry.register(MemberMetrics(self._crew.members))
        return registry

    async def _no_history(self, series: str, start: int, stop: int, step: int | None) -> History:
        self._refuse(series, start, stop, step)

    async def _no_snapshot(self) -> Path:
        self._refuse()

    def _refuse(self, *_: object) -> NoReturn:
        raise StoreUnavailableError(
            f"shard {self.share} keeps no history", mend=f"ask the head at {self._store.url}"
        )
