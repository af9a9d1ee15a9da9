"""All processes that collect one site, as the process sees them that has its journal."""

from pathlib import Path

from collectors.collection import Collection
from collectors.config import CollectionPlan
from collectors.health import CollectorHealth
from console.context import Receiver
from dcops.crew.head import Head
from dcops.crew.members import CrewCollection, Member
from dcops.crew.roles import Role
from dcops.crew.workers import WorkerOptions, Workers
from dcops.stages import Work
from facility.catalogue import Catalogue
from facility.clock import Clock
from ingest.catalogues import digest, encode_catalogue
from ingest.spool import Spool
from ingest.tick import Tick


class Crew:
    """Shards that hand over readings, workers that are started, and what this process collects itself."""

    def __init__(
        self,
        role: Role,
        plan: CollectionPlan,
        *,
        site: Path,
        data: Path,
        clock: Clock,
        catalogue: Catalogue,
        tick: Tick,
        spool: Spool,
    ) -> None:
        """Nothing is started yet; ``plan`` is that of the whole site."""
        self.plan = role.itself(plan)
        """What this process collects itself."""
        self.receiver: Receiver | None = None
        """Takes what shards hand over; None if there are none."""
        self._workers: Workers | None = None
        members: list[Member] = []
        name = digest(encode_catalogue(catalogue)) if role.shards or role.workers else ""
        if role.shards and not role.head:

            def hurry() -> None:
                tick.hurry()
                spool.hurry()

            head = Head(
                clock=clock,
                catalogue=name,
                count=role.shards,
                own=role.own,
                accept=tick.accept_batch,
                number=lambda: tick.open_number,
                hurry=hurry,
            )
            spool.on_settled(head.settled)
            self.receiver = head.receiver(role.token)
            members += head.members.values()
        if role.workers:
            options = WorkerOptions(site=site, data=data, count=role.workers, shard=role.shard)
            self._workers = Workers(options, clock, name, tick.accept_batch)
            members += self._workers.members
        self.members = tuple(members)

    def seen(self, own: Collection) -> CrewCollection | Collection:
        """All collecting as one."""
        return CrewCollection(lambda: own, self.members) if self.members else own

    def healths(self) -> tuple[CollectorHealth, ...]:
        """How the others do."""
        return tuple(member.health() for member in self.members)

    def work(self) -> dict[str, Work]:
        """What is to run while this process collects."""
        return {"workers": self._workers.run()} if self._workers is not None else {}
