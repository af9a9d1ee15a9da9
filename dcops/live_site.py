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
        if like is not None and self._is_like(like, loaded):
            self.loaded = replace(loaded, site=like.loaded.site)
            self.storing = like.storing
            self.catalogue, self.image, self.derived = like.catalogue, like.image, like.derived
            self.staleness, self.exposition, self.points = like.staleness, like.exposition, like.points
        else:
            self.loaded = loaded
            self._compute(site, like)
        standing = Standing(site)
        touch = OutOfTouch(plan, shards, standing.devices, sources)
        self.silence = Silence(self.staleness, standing, touch)
        """Marks what is not current any more."""
        shared = like.alarms if like is not None and self._is_watched_as(like) else None
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
            self.image.take_over(other.image, moves.earlier)
            self.derived.take_over(other.derived, moves)
        self.silence.take_over(other.silence)
        for device in anew:
            group = self.catalogue.group(device)
            self.image.forget(group.first, len(group.fields))
        if self.alarms is not other.alarms:
            self.alarms.take_over(other.alarms, moves)

    def _compute(self, site: Site, like: "LiveSite | None") -> None:
        """Prepare all that is computed of the points, out of what there is of a similar site."""
        storing = self.loaded.storing
        if like is None:
            self.catalogue = build_catalogue(site, storing)
            self.derived = Derived(site, self.catalogue)
            self.exposition = Exposition(site, self.catalogue)
            self.points = PointExposition(site)
        else:
            before = like.loaded
            known = Catalogued(site=before.site, storing=before.storing, catalogue=like.catalogue)
            self.catalogue = build_catalogue(site, storing, known)
            self.derived = Derived(site, self.catalogue)
            self.exposition = Exposition(site, self.catalogue, like.exposition)
            self.points = PointExposition(site, like.points)
        self.storing = plan_storing(site, storing)
        self.image = LiveImage(self.catalogue.point_count)
        self.staleness = StalenessPlan(site, self.pushed)

    def _is_like(self, other: "LiveSite", loaded: LoadedSite) -> bool:
        """Whether all that is computed of the points would be as it is there."""
        before = other.loaded
        return other.pushed == self.pushed and before.storing == loaded.storing and before.site == loaded.site

    def _is_watched_as(self, other: "LiveSite") -> bool:
        """Whether alarms of the very same points come by the same rules."""
        return (
            self.image is other.image
            and self.reached == other.reached
            and self.loaded.rules == other.loaded.rules
        )


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
