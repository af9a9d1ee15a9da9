"""All processes that collect one site, as the process sees them that has its journal."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collectors.collection import Collection
from collectors.config import CollectionPlan
from collectors.health import CollectorHealth
from console.context import Receiver
from dcops.crew.head import Head
from dcops.crew.members import CrewCollection, Member
from dcops.crew.roles import Role
from dcops.crew.workers import Orders, WorkerOptions, Workers, write_orders
from dcops.journalling import hurrying
from dcops.stages import Work
from facility.clock import Clock
from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.spool import Spool
from ingest.tick import Tick
from ingest.translation import KnownCatalogues


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewChange:
    """What another state of the site means for all that collect it."""

    kept: KeptCatalogue | None
    """Its catalogue; None if that is the same."""
    orders: Orders


class Crew:
    """Shards that hand over readings, workers that are started, and what this process collects itself."""

    def __init__(
        self,
        role: Role,
        plan: CollectionPlan,
        kept: KeptCatalogue,
        *,
        data: Path,
        clock: Clock,
        tick: Tick,
        spool: Spool,
        accept: Callable[[Batch], None],
    ) -> None:
        """Nothing is started yet; ``plan`` is that of the whole site.

        ``accept`` takes what others read.
        """
        self.role = role
        self.receiver: Receiver | None = None
        """Takes what shards hand over; None if there are none."""
        self._known = KnownCatalogues(kept)
        self._workers: Workers | None = None
        members: list[Member] = []
        if role.is_head:
            head = Head(
                clock=clock,
                known=self._known,
                count=role.shards,
                own=role.own,
                accept=accept,
                number=lambda: tick.open_number,
                hurry=hurrying(tick, spool),
            )
            spool.on_settled(head.settled)
            self.receiver = head.receiver(role.token)
            members += head.members.values()
        if role.workers:
            options = WorkerOptions(data=data, count=role.workers)
            orders = write_orders(role.share(plan), kept.digest, role.workers)
            self._workers = Workers(options, orders, clock, self._known, accept)
            members += self._workers.members
        self.members = tuple(members)

    def seen(self, own: Collection) -> CrewCollection | Collection:
        """All collecting as one."""
        return CrewCollection(own, self.members) if self.members else own

    def healths(self) -> tuple[CollectorHealth, ...]:
        """How the others do."""
        return tuple(member.health() for member in self.members)

    def work(self) -> dict[str, Work]:
        """What is to run while this process collects."""
        return {"workers": self._workers.run()} if self._workers is not None else {}

    def prepare(self, plan: CollectionPlan, kept: KeptCatalogue | None) -> CrewChange:
        """Make what another state of the site needs, of which ``plan`` is all; may run in any thread.

        ``kept`` is its catalogue, None if that is the same.
        """
        if not self.members:
            return CrewChange(kept=kept, orders=())
        name = self._known.digest if kept is None else kept.digest
        return CrewChange(kept=kept, orders=write_orders(self.role.share(plan), name, self.role.workers))

    def change(self, change: CrewChange) -> None:
        """Go over to another state of the site. Others may follow a little later: they are understood."""
        if change.kept is not None and self.members:
            self._known.change(change.kept)
        if self._workers is not None:
            self._workers.change(change.orders)
