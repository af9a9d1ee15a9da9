"""What a shard makes of one loaded site, and of the one that takes its place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collectors.changes import PlanChange
from collectors.config import CollectionPlan
from console.showing import Shown
from dcops.crew.crew import CrewChange
from dcops.out_of_touch import OutOfTouch, Silence, Source
from dcops.site_file import LoadedSite
from facility.catalogue import build_catalogue
from facility.moves import Moves
from ingest.catalogues import KeptCatalogue
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.standing import Standing


class ShardSite:
    """What a shard makes of one loaded site."""

    def __init__(
        self,
        loaded: LoadedSite,
        plan: CollectionPlan,
        share: CollectionPlan,
        sources: Callable[[], Iterable[Source]],
    ) -> None:
        """Prepare.

        Args:
            loaded: the site.
            plan: that of the whole site, with the passwords of brokers.
            share: what of it the shard collects.
            sources: how brokers and those who collect for the shard are doing.
        """
        self.loaded = loaded
        self.plan = plan
        self.kept = KeptCatalogue(build_catalogue(loaded.site, loaded.storing))
        self.image = LiveImage(self.kept.catalogue.point_count)
        staleness = StalenessPlan(loaded.site, frozenset(b.device for b in plan.mqtt))
        standing = Standing(loaded.site)
        self.silence = Silence(staleness, standing, OutOfTouch(share, {}, standing.devices, sources))
        """Marks what is not current any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSuccessor:
    """A site that is ready to take the place of the one that runs."""

    live: ShardSite
    change: PlanChange
    """What of the share is collected otherwise."""
    own: PlanChange
    """What of that this process collects itself."""
    crew: CrewChange
    """What workers are told who collect the rest."""
    moves: Moves
    """Where the points of the site that runs are in it."""
    shown: Shown
