"""Everything that watches the live image for alarms, behind one call a tick."""

import logging
from collections.abc import Mapping

import numpy as np

from alerting.alarms import Category
from alerting.board import AlarmBoard
from alerting.communication import Communication
from alerting.evaluation import Evaluation, Image
from alerting.gaps import Gaps
from alerting.rules import Rule
from alerting.selection import plan_rules
from facility.catalogue import Catalogue
from facility.moves import Moves
from facility.site import Site

_log = logging.getLogger(__name__)


class AlarmWatch:
    """Process and communication alarms of a site."""

    def __init__(
        self,
        site: Site,
        catalogue: Catalogue,
        rules: tuple[Rule, ...],
        board: AlarmBoard,
        image: Image,
        *,
        endpoints: Mapping[str, str],
        shards: Mapping[str, str] | None = None,
    ) -> None:
        """Wire everything.

        ``endpoints`` gives the endpoint id of each device id; a device may be missing. ``shards`` gives, by
        device id, who collects what other machines do.
        """
        plans = plan_rules(rules, site, catalogue)
        self.unrated = {plan.rule.name: plan.unrated for plan in plans if plan.unrated}
        """Ids of what a rule leaves out, for lack of the rating its limit is a share of, by rule."""
        for rule, owners in self.unrated.items():
            _log.info("rule %s leaves out %d without the rating it needs: %s …", rule, len(owners), owners[0])
        watched = np.zeros(site.point_count, dtype=np.bool_)
        for plan in plans:
            watched[plan.points[plan.points < site.point_count]] = True
        self._board = board
        self._gaps = Gaps()
        self._process = Evaluation(plans, site, catalogue, board, image)
        self._communication = Communication(
            site,
            board,
            image,
            endpoints=endpoints,
            watched=np.flatnonzero(watched),
            shards=shards or {},
        )

    def watch(self, now: int) -> None:
        """Evaluate what the image holds at ``now`` (ns, UTC): once a tick."""
        gap = self._gaps.step(now)
        if gap is not None:
            self._process.leave_out(gap)
            self._communication.leave_out(gap)
            self._board.leave_out(gap)
        self._process.watch(now)
        self._communication.watch(now)
        self._board.settle(now)

    def tell_of(self, site: Site) -> None:
        """From now on tell of devices as this site does, whose devices differ in their names at most."""
        self._process.tell_of(site)
        self._communication.tell_of(site)

    def take_over(self, other: "AlarmWatch", moves: Moves) -> None:
        """Go on, delays and all, from the watch over the site as it was before; ``resume`` then sees to
        what nothing watches any more.
        """
        self._gaps = other._gaps
        self._process.take_over(other._process, moves)
        self._communication.take_over(other._communication, moves)

    def resume(self, now: int) -> None:
        """Go on from the alarms a restored board shows; those nothing watches any more are cleared.

        What the platform says of itself is not of the site, and not seen to here. Nor is what stands only
        since it comes and goes: the board ends it, unless it comes again.
        """
        ours = (each for each in self._board.active() if each.category is not Category.PLATFORM)
        held = tuple(each for each in ours if self._board.get(each.id) is not None)
        left = self._communication.adopt(self._process.adopt(held))
        for alarm in left:
            self._board.clear(alarm.id, now)
