"""What part of a site's collecting one process takes."""

from dataclasses import dataclass, field

from collectors.config import CollectionPlan
from collectors.shares import Share, only_brokers, owner, share_of

SHARD = "shard"
"""What ``collectors.shares`` shares out among machines."""
WORKER = "worker"
"""What it shares out among the processes of one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The part of one process. As it stands without arguments it collects everything itself."""

    shards: int = 0
    """How many shards the site is divided into; 0 if it is not."""
    own: int = 0
    """Which of them this process collects; 0 for none of them."""
    workers: int = 0
    """How many processes it starts that collect for it; 0 if it collects itself."""
    head: str = ""
    """Where what it collects is handed over; empty if this process is the head itself."""
    token: str = field(default="", repr=False)
    """What shards must know to hand over readings."""

    @property
    def is_head(self) -> bool:
        """Whether shards hand over to this process."""
        return self.shards > 0 and not self.head

    @property
    def shard(self) -> Share | None:
        """Its share of the site; None if that is all or nothing of it."""
        return Share(self.own, self.shards) if self.own else None

    def share(self, plan: CollectionPlan) -> CollectionPlan:
        """What this process and its workers collect."""
        if self.shards and not self.own:
            return CollectionPlan()
        return share_of(plan, self.shard, SHARD) if self.shard is not None else plan

    def itself(self, plan: CollectionPlan) -> CollectionPlan:
        """What this process collects itself: what workers do not.

        Brokers stay with the process that has the journal: messages are acknowledged when they are in it.
        """
        share = self.share(plan)
        return only_brokers(share) if self.workers else share

    def elsewhere(self, plan: CollectionPlan) -> dict[str, str]:
        """The name of the shard that collects each device, for all that other shards collect."""
        if not self.shards:
            return {}
        places = {b.device: b.endpoint for b in plan.modbus} | {b.device: b.broker for b in plan.mqtt}
        owners = {place: owner(place, self.shards, SHARD) for place in set(places.values())}
        return {
            device: f"shard {owners[place]}/{self.shards}"
            for device, place in places.items()
            if owners[place] != self.own
        }
