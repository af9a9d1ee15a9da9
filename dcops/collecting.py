"""What one process collects of a site: by itself, by its workers, and from shards that hand over to it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from collectors.collection import Collection
from collectors.config import CollectionPlan
from dcops.crew.crew import Crew
from dcops.endpoint_metrics import EndpointExposition
from dcops.journalling import keeping
from dcops.lessons_file import open_lessons
from dcops.rejected_messages import RejectedMessages
from dcops.settings import Settings
from dcops.stages import Work, stage
from facility.clock import Clock
from facility.sample import Emit, EmitScans
from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.spool import Spool
from ingest.tick import Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Takers:
    """Who takes what is read, on its way to the tick."""

    samples: Emit
    scans: EmitScans | None
    """Those decoded together; None if ``samples`` takes them one by one."""
    batches: Callable[[Batch], None]
    """What other processes read."""


class Collecting:
    """Everything that collects, as the process has it that has the journal."""

    def __init__(
        self,
        plan: CollectionPlan,
        kept: KeptCatalogue,
        *,
        settings: Settings,
        clock: Clock,
        tick: Tick,
        spool: Spool,
        takers: Takers | None = None,
    ) -> None:
        """Nothing is started yet, and of files only the lessons are read.

        Args:
            plan: of the whole site.
            kept: its catalogue.
            settings: which part of it this process takes, and where its data are.
            clock: by which devices are due.
            tick: takes what is read, unless there are ``takers`` on the way.
            spool: says what is kept.
            takers: see there.
        """
        takers = takers or Takers(samples=tick.accept, scans=tick.accept_scans, batches=tick.accept_batch)
        role = settings.role
        self._rejected = RejectedMessages(settings.data, clock)
        self.crew = Crew(
            role,
            plan,
            kept,
            data=settings.data,
            clock=clock,
            tick=tick,
            spool=spool,
            accept=takers.batches,
        )
        self.own = Collection(
            role.itself(plan),
            clock,
            takers.samples,
            emit_scans=takers.scans,
            lessons=open_lessons(settings.data),
            keeping=keeping(tick, spool),
            set_aside=self._rejected.put,
        )
        """What this process reads itself."""
        tick.before_close(self.own.flush)
        self.all = self.crew.seen(self.own)
        """All of it, the part of the others included."""
        self.endpoint_text = EndpointExposition(self.all)
        """What ``/metrics`` says of its endpoints. It outlives the site, for most endpoints do."""

    @asynccontextmanager
    async def running(self, around: Callable[[], Mapping[str, Work]] = dict) -> AsyncIterator[None]:
        """Collect while the body runs; what is ``around`` it starts before and ends after."""
        taking = {**around(), "rejected messages": self._rejected.run()}
        async with stage(taking), stage({"collection": self.own.run(), **self.crew.work()}):
            yield
