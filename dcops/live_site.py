"""All that is computed and told of one loaded site; another takes its place when it is loaded anew."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from alerting.board import AlarmBoard
from alerting.evaluation import Image
from alerting.watch import AlarmWatch
from collectors.changes import PlanChange
from collectors.config import CollectionPlan
from console.showing import Shown
from dcops.site_file import LoadedSite
from facility.catalogue import build_catalogue
from facility.derived import Derived
from facility.moves import NOWHERE, Moves
from facility.storing import plan_storing
from ingest.catalogues import KeptCatalogue
from ingest.exposition import Exposition
from ingest.live_image import LiveImage
from ingest.point_exposition import PointExposition
from ingest.staleness import StalenessPlan


class LiveSite:
    """Plans and arrays over the points of one site. Takes a while to make, and may be made in any thread."""

    def __init__(self, loaded: LoadedSite, plan: CollectionPlan, board: AlarmBoard) -> None:
        """Prepare all plans.

        Args:
            loaded: the site.
            plan: what is collected, with the passwords of brokers.
            board: where alarms go; it outlives the site.
        """
        site = loaded.site
        endpoints = {b.device: b.endpoint for b in plan.modbus} | {b.device: b.broker for b in plan.mqtt}
        self.loaded = loaded
        self.catalogue = build_catalogue(site, loaded.storing)
        self.storing = plan_storing(site, loaded.storing)
        self.image = LiveImage(self.catalogue.point_count)
        self.derived = Derived(site, self.catalogue)
        self.staleness = StalenessPlan(site, frozenset(b.device for b in plan.mqtt))
        seen = Image(self.image.values, self.image.times, self.image.quality)
        self.alarms = AlarmWatch(site, self.catalogue, loaded.rules, board, seen, endpoints=endpoints)
        self.exposition = Exposition(site, self.catalogue)
        self.points = PointExposition(site)

    def take_over(self, other: "LiveSite", moves: Moves, anew: AbstractSet[str]) -> None:
        """Go on from another site as if nothing had happened.

        Args:
            other: the site as it was before.
            moves: where its points are here.
            anew: ids of devices whose readings so far say nothing of what is read now.
        """
        shown = moves.earlier
        if anew:
            shown = shown.copy()
            for device in anew:
                group = self.catalogue.group(device)
                shown[group.first : group.first + len(group.fields)] = NOWHERE
        self.image.take_over(other.image, np.ascontiguousarray(shown))
        self.derived.take_over(other.derived, moves)
        self.alarms.take_over(other.alarms, moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """A site that is ready to take the place of the one that runs."""

    live: LiveSite
    change: PlanChange
    """What is collected otherwise."""
    moves: Moves
    """Where the points of the one that runs are in it."""
    kept: KeptCatalogue
    """Its catalogue, for the journal."""
    shown: Shown
    """Its pages and answers."""
