"""All that is computed and told of one loaded site; another takes its place when it is loaded anew."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from alerting.board import AlarmBoard
from alerting.evaluation import Image
from alerting.watch import AlarmWatch
from collectors.changes import PlanChange
from collectors.config import CollectionPlan
from console.showing import Shown
from dcops.crew.crew import CrewChange
from dcops.out_of_touch import OutOfTouch, Silence, Source
from dcops.site_file import LoadedSite
from facility.catalogue import Catalogue, Catalogued, build_catalogue
from facility.derived import Derived
from facility.moves import Moves
from facility.site import Site
from facility.storing import StoringPlan, plan_storing
from ingest.exposition import Exposition
from ingest.live_image import LiveImage
from ingest.point_exposition import PointExposition
from ingest.staleness import StalenessPlan
from ingest.standing import Standing


class LiveSite:
    """Plans and arrays over the points of one site. Takes a while to make, and may be made in any thread."""

    loaded: LoadedSite
    catalogue: Catalogue
    image: LiveImage
    derived: Derived
    staleness: StalenessPlan
    exposition: Exposition
    points: PointExposition
    storing: StoringPlan | None

    def __init__(
        self,
        loaded: LoadedSite,
        plan: CollectionPlan,
        board: AlarmBoard,
        *,
        shards: Mapping[str, str],
        like: "LiveSite | None" = None,
        sources: Callable[[], Iterable[Source]] = tuple,
    ) -> None:
        """Prepare all plans.

        Args:
            loaded: the site.
            plan: what is collected, with the passwords of brokers.
            board: where alarms go; it outlives the site.
            shards: by device id, who collects what other machines do.
            like: the site that runs; what would be made as it is there is shared with it.
            sources: how brokers and those who collect are doing.
        """
        site = loaded.site
        self.pushed = frozenset(binding.device for binding in plan.mqtt)
        """Ids of the devices that send by themselves."""
        self.reached = {b.device: b.endpoint for b in plan.modbus} | {b.device: b.broker for b in plan.mqtt}
        """Endpoint or broker of each device."""
        differing = site.differing(like.loaded.site) if like is not None else None
        """What of the devices is not as in the site that runs; None if they are others."""
        self.loaded = loaded
        if like is not None and differing == frozenset() and site == like.loaded.site:
            self.loaded = replace(loaded, site=like.loaded.site)
        self._compute(self.loaded.site, like, differing)
        standing = Standing(site)
        touch = OutOfTouch(plan, shards, standing.devices, sources)
        self.silence = Silence(self.staleness, standing, touch)
        """Marks what is not current any more."""
        shared = like.alarms if like is not None and self._is_watched_as(like, differing) else None
        if shared is None:
            seen = Image(self.image.values, self.image.times, self.image.quality)
            rules, reached = loaded.rules, self.reached
            shared = AlarmWatch(
                self.loaded.site,
                self.catalogue,
                rules,
                board,
                seen,
                endpoints=reached,
                shards=shards,
            )
        self.alarms: AlarmWatch = shared

    def take_over(self, other: "LiveSite", moves: Moves, anew: AbstractSet[str]) -> None:
        """Go on from another site as if nothing had happened.

        Args:
            other: the site as it was before.
            moves: where its points are here.
            anew: ids of devices whose readings so far say nothing of what is read now.
        """
        if self.image is not other.image:
            self.image.take_over(other.image, moves.runs)
        if self.derived is not other.derived:
            self.derived.take_over(other.derived, moves)
        self.silence.take_over(other.silence)
        for device in anew:
            group = self.catalogue.group(device)
            self.image.forget(group.first, len(group.fields))
        if self.alarms is other.alarms:
            self.alarms.tell_of(self.loaded.site)
        else:
            self.alarms.take_over(other.alarms, moves)

    def _compute(self, site: Site, like: "LiveSite | None", differing: AbstractSet[str] | None) -> None:
        """Prepare all that is computed of the points, out of what there is of a similar site."""
        storing = self.loaded.storing
        known = None
        if like is not None:
            before = like.loaded
            known = Catalogued(site=before.site, storing=before.storing, catalogue=like.catalogue)
        self.catalogue = build_catalogue(site, storing, known)
        if like is None or self.catalogue is not like.catalogue or differing is None:
            self.derived = Derived(site, self.catalogue)
            self.exposition = Exposition(site, self.catalogue, like.exposition if like is not None else None)
            self.points = PointExposition(site, like.points if like is not None else None)
            self.storing = plan_storing(site, storing)
            self.image = LiveImage(self.catalogue.point_count)
            self.staleness = StalenessPlan(site, self.pushed, like.staleness if like is not None else None)
            return
        # The very same series: what is told of them is the same, and so are the arrays they stand in.
        self.exposition, self.points = like.exposition.about(site), like.points.about(site)
        self.storing, self.image = like.storing, like.image
        metered = differing.isdisjoint(_METERED) and site.timezone == like.loaded.site.timezone
        self.derived = like.derived if metered else Derived(site, self.catalogue)
        silent = differing.isdisjoint(_SILENT) and self.pushed == like.pushed
        self.staleness = like.staleness.about(site) if silent else StalenessPlan(site, self.pushed)

    def _is_watched_as(self, other: "LiveSite", differing: AbstractSet[str] | None) -> bool:
        """Whether alarms of the very same points come by the same rules, whatever devices are called."""
        return (
            self.image is other.image
            and differing is not None
            and differing <= _CALLED
            and self.reached == other.reached
            and self.loaded.rules == other.loaded.rules
            and self.loaded.site.timezone == other.loaded.site.timezone
        )


_METERED = frozenset({"serves", "rated_power"})
"""What of a device, besides what the catalogue tells, matters to what is computed of it."""
_SILENT = frozenset({"period", "reports_by_exception"})
"""The same of when it is silent for too long."""
_CALLED = frozenset({"name"})
"""What alarms only tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A site that is ready to take the place of the one that runs."""

    live: LiveSite
    change: PlanChange
    """What is collected otherwise, whoever does it."""
    own: PlanChange
    """What of that this process collects itself."""
    crew: CrewChange
    """What those are told who collect the rest."""
    moves: Moves
    """Where the points of the one that runs are in it."""
    shown: Shown
    """Its pages and answers."""
