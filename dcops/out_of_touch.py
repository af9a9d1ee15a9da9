"""Which devices would not be heard if they said something: their broker, or who collects them, is away.

It matters for those that report by exception: of all others the age of their readings tells.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from collectors.collection import Collection
from collectors.config import CollectionPlan
from collectors.health import CollectorState, EndpointHealth, EndpointState
from dcops.crew.members import Member
from dcops.standing_values import origins_of
from facility.sample import NANOSECONDS
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.standing import Said, Standing, StandingValues, Touch

PATIENCE = 30 * NANOSECONDS
"""A source that is back sooner has not been away."""
LOOK = 5 * NANOSECONDS
"""Between two looks at the sources."""


@dataclass(frozen=True, slots=True)
class Source:
    """A broker, or a process that collects."""

    name: str
    in_touch: bool
    missed: int = 0
    """How often what it would have brought was gone for good."""
    kept: bool = True
    """Whether it has kept for us what came before it was first in touch."""
    gone: Sequence[str] = ()
    """Ids of devices that would not be heard though it is in touch."""


class OutOfTouch:
    """Looks at the sources of some devices now and then."""

    def __init__(
        self,
        plan: CollectionPlan,
        shards: Mapping[str, str],
        devices: AbstractSet[str],
        sources: Callable[[], Iterable[Source]],
    ) -> None:
        """``devices`` are looked after; ``shards`` says of which devices another process takes care."""
        self.origins = origins_of(plan, devices)
        """What the values of each of the devices come from."""
        self._behind: dict[str, set[str]] = {}
        for binding in plan.mqtt:
            if binding.device in devices:
                for name in filter(None, (binding.broker, shards.get(binding.device))):
                    self._behind.setdefault(name, set()).add(binding.device)
        self._forgetful = {each.id for each in plan.brokers if not each.persistent}
        self._sources = sources
        self._away: dict[str, tuple[int, int]] = {}
        """Of each source that is away since when, and how often it had missed something by then."""
        self._looked: int | None = None
        self._touch = Touch()
        self._restarted: set[str] = set()
        """Sources that have not been in touch since a restart."""

    def restart(self) -> None:
        """Nobody was listening until now: all sources are away until they have been in touch."""
        self._restarted = set(self._behind)
        self._away = dict.fromkeys(self._behind, (0, 0))
        self._looked, self._touch = None, Touch(frozenset().union(*self._behind.values()))

    def __call__(self, now: int) -> Touch:
        """As of ``now`` (ns), or of some seconds before."""
        if self._behind and (self._looked is None or not 0 <= now - self._looked < LOOK):
            self._looked = now
            self._touch = self._look(now)
        return self._touch

    def take_over(self, other: "OutOfTouch") -> None:
        """Go on from the site as it was before."""
        self._away = {name: away for name, away in other._away.items() if name in self._behind}
        self._restarted = other._restarted & self._behind.keys()

    def _look(self, now: int) -> Touch:
        lost: set[str] = set()
        missed: set[str] = set()
        told: set[str] = set()
        for source in self._sources():
            told.add(source.name)
            behind = self._behind.get(source.name, set())
            if source.in_touch:
                away = self._away.pop(source.name, None)
                gone = source.missed > away[1] if away is not None else False
                if source.name in self._restarted:
                    self._restarted.discard(source.name)
                    gone = gone or not source.kept
                if away is not None and (gone or source.name in self._forgetful):
                    missed |= behind
                missed.update(source.gone)
            elif behind:
                since, before = self._away.get(source.name, (now, source.missed))
                self._away[source.name] = min(since, now), before
                if now - since >= PATIENCE:
                    lost |= behind
        for name in self._restarted - told:  # nobody has said yet how it does
            lost |= self._behind[name]
        return Touch(lost, missed)


class Silence:
    """What of the live image is not current any more, for either reason."""

    def __init__(self, staleness: StalenessPlan, standing: Standing, touch: OutOfTouch) -> None:
        self._staleness = staleness
        self._standing = standing
        self._touch = touch

    def mark(self, image: LiveImage, now: int) -> None:
        """Give it the quality that says so, at ``now`` (ns)."""
        self._staleness.mark(image, now)
        self._standing.mark(image, self._touch(now))

    @property
    def origins(self) -> Mapping[str, str]:
        """What the values of each device that reports by exception come from."""
        return self._touch.origins

    def remember(self, image: LiveImage) -> Said:
        """What devices that report by exception said last."""
        return self._standing.remember(image)

    def restore(self, image: LiveImage, remembered: StandingValues, *, whole: bool) -> None:
        """Show what they said before a restart; it stands again, if nothing was heard after that and their
        broker has kept what they said meanwhile.
        """
        self._standing.restore(image, remembered, whole=whole)
        self._touch.restart()

    def take_over(self, other: "Silence") -> None:
        """Go on from the site as it was before."""
        self._standing.take_over(other._standing)
        self._touch.take_over(other._touch)


def sources_of(own: Collection, members: Sequence[Member]) -> Iterator[Source]:
    """Brokers and processes, as far as this process knows of them."""
    yield from map(_broker, own.brokers())
    for member in members:
        yield Source(member.name, member.health().state is CollectorState.HEARD)
        yield from (_broker(each) for each in member.endpoints() if each.protocol == "mqtt")


def _broker(health: EndpointHealth) -> Source:
    connected = health.state is EndpointState.CONNECTED
    missed = health.errors.get("session", 0)
    return Source(health.endpoint, connected, missed, health.resumed, health.offline)
