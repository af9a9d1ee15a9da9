"""What stands for the sources of totals that are missing.

A source whose reading can't be used is, in this order: what its parent meter has left for it; its usual
share of what complete neighbours draw, less what its twin on the other feed took over, unless it stands by;
its last value for a while; or left out. Each is marked, and none counts as covered.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from facility.devices import DeviceKind
from facility.joining import flags, renumbered
from facility.moves import taken_over
from facility.neighbours import Neighbours
from facility.quality import FIRST_GOOD, Quality, QualityArray
from facility.sample import NANOSECONDS
from facility.sources import Bools, Floats, Instant, Ints, Look, SourceSet
from facility.upstream import ParentStage, join_stages

HOLD_SECONDS = 900.0
"""How long a last value may stand in when nothing better is known."""
_SHARE_SMOOTHING = 0.02
_BELIEVED_DELIVERED_SHARE = (0.9, 1.02)
"""What of a meter's reading may reach the sources below it; beyond that the meter or the map is wrong."""
_LOWEST_LEARNED_UTILISATION = 0.02
"""Below this share of the expected load a parent teaches nothing: its reading is mostly its own losses."""
_LEAST_DELIVERED = 0.005
"""Share of its rating beyond which what stands by delivers; all of its rating is expected of it then."""
_PARENT_SHORTFALL = 0.02
"""How far a parent may lie below its known children before it is not believed."""
_BACKWARDS = 0.02
"""Share of its rating from which what seems to flow back from a load says that a meter is wired wrongly."""
_LEAST_BACKWARDS = 50.0
"""W."""
_LEAST_WEIGHT = 1e-9


class Estimator:
    """The sources of all sets that are added up, set behind set, worked out in one go.

    Nothing of one set tells anything of another: neighbours, loads and parents are those of its own.
    """

    def __init__(self, sets: Sequence[SourceSet]) -> None:
        """Prepare. What reaches the sources of the sets' parents is learned here, and told there too."""
        counts = [len(each) for each in sets]
        self._ratings: Floats = np.concatenate([np.empty(0), *(each.ratings for each in sets)])
        self._most: Floats = np.concatenate([np.empty(0), *(each.most for each in sets)])
        self._kinds = renumbered([each.kinds for each in sets], [len(DeviceKind)] * len(sets))
        """Of each set numbers of its own."""
        self._standby = flags(each.standby for each in sets)
        self._drawing = np.repeat(np.array([each.drawing for each in sets], dtype=np.bool_), counts)
        self._loads = renumbered([each.loads for each in sets], counts)
        self._load_count = len(self._loads)
        self._neighbours = Neighbours(
            [
                renumbered(groups, [int(each.max(initial=-1)) + 1 for each in groups])
                for groups in zip(*(each.alike for each in sets), strict=True)
            ]
        )
        joined = [join_stages(each, counts) for each in zip_longest(*(each.stages for each in sets))]
        self._stages = tuple(each.stage for each in joined)
        for number, each in enumerate(sets):
            each.stages = tuple(stage.parts[number] for stage in joined[: len(each.stages)])
        self._whole = False
        """Whether all could be used the last time."""
        self._shares = np.full(len(self._ratings), np.nan)
        self._expected = self._expect()
        self._last = np.full(len(self._ratings), np.nan)
        self._last_at = np.zeros(len(self._ratings), dtype=np.int64)

    @property
    def shares(self) -> Floats:
        """What each source usually draws, as far as learned; NaN where nothing was."""
        return self._shares

    def restore_shares(self, shares: Floats) -> None:
        """Go on from what was learned; NaN where nothing was."""
        self._shares = shares
        self._expected = self._expect()

    def estimate(self, seen: Look, instant: Instant) -> Floats:
        """What each source adds now, by what all of them show, is written there; returns expected loads."""
        readings, usable = seen.readings, seen.usable
        result, result_quality = seen.values, seen.quality
        self._refuse_backwards(seen)
        if usable.all():
            self._learn_shares(readings, usable)
            self._last, self._last_at = result.copy(), np.full_like(self._last_at, instant.now)
            self._whole = True
        else:
            self._note_neighbours()
            complete = self._of_load(~usable) == 0
            self._learn_shares(readings, complete)
            levels = self._neighbours.levels(readings, complete, self._expected)
            self._neighbours.note(levels)
            for stage in self._stages:
                self._fill_from_parents(stage, instant, result, result_quality)
            self._fill_from_neighbours(levels, instant.now, result, result_quality)
            self._note_known(result, instant.now)
            self._fill_held(instant.now, result, result_quality)
        self._learn_delivered(instant, usable, readings)
        return self._expected

    def take_over(self, other: "Estimator", places: Ints) -> None:
        """Go on from what was learned and last known of the site as it was before.

        ``places`` says where each source is among those, or NOWHERE. What reaches the sources of parents
        moves with their sets.
        """
        other._note_neighbours()
        loads = np.full(len(places), np.nan)
        taken_over(loads, other._shares * other._ratings, places)
        self._neighbours.take_over(other._neighbours, places)
        # A share is of the rating and of what the hall draws: where that is another now, the load is not.
        loads *= self._neighbours.settle()
        self._shares = np.where(places >= 0, loads / self._ratings, self._shares)
        self._expected = self._expect()
        taken_over(self._last, other._last, places)
        taken_over(self._last_at, other._last_at, places)

    def _note_neighbours(self) -> None:
        """Remember what neighbours drew as long as all of them could be used, before that is no longer so."""
        if self._whole:
            all_of_them = np.ones(len(self._last), dtype=np.bool_)
            self._neighbours.note(self._neighbours.levels(self._last, all_of_them, self._expected))
            self._whole = False

    def _refuse_backwards(self, seen: Look) -> None:
        """A load that seems to deliver has a meter whose current transformers are the wrong way round."""
        with np.errstate(invalid="ignore"):
            backwards = seen.readings < -np.maximum(_BACKWARDS * self._ratings, _LEAST_BACKWARDS)
        backwards &= seen.usable & self._drawing
        if backwards.any():
            seen.usable[backwards] = seen.covered[backwards] = False
            seen.values[backwards] = np.nan
            seen.quality[backwards] = Quality.UNCERTAIN

    def _expect(self) -> Floats:
        """Expected load of each source, for weighing: its rating times its usual share, or that of its kind.
        To be asked whenever a share changes.
        """
        usual = self._shares * self._ratings
        unknown = np.isnan(usual)
        if unknown.any():
            usual = np.where(unknown, self._of_kind(usual, unknown), usual)
        return np.maximum(usual, _LEAST_WEIGHT)

    def _of_kind(self, usual: Floats, unknown: Bools) -> Floats:
        """What each source would draw as those of its kind do whose share is known: its rating if there are
        none. Those that stand by draw nothing.
        """
        drawn = np.bincount(self._kinds, np.where(unknown, 0.0, usual))
        rated = np.bincount(self._kinds, np.where(unknown, 0.0, self._ratings))
        share = np.divide(drawn, rated, out=np.ones(len(drawn)), where=rated > 0)
        return np.where(self._standby, 0.0, share[self._kinds] * self._ratings)

    def _of_load(self, amounts: Floats | Bools) -> Floats:
        """For each source, the sum over all sources that supply the same load."""
        total = np.bincount(self._loads, amounts, self._load_count)[self._loads]
        return total.astype(np.float64, copy=False)

    def _learn_shares(self, readings: Floats, complete: Bools) -> None:
        with np.errstate(invalid="ignore", divide="ignore"):
            share = readings / (self._ratings * self._neighbours.level(readings, complete, self._expected))
        # What stands by delivers or does not: neither what it did before nor what others draw tells which.
        share = np.where(self._standby, readings > _LEAST_DELIVERED * self._ratings, share)
        learn = complete & np.isfinite(share) & (share >= 0)
        known = np.isfinite(self._shares) & ~self._standby
        blended = self._shares + _SHARE_SMOOTHING * (share - self._shares)
        self._shares = np.where(learn, np.where(known, blended, share), self._shares)
        self._expected = self._expect()

    def _fill_from_parents(
        self, stage: ParentStage, instant: Instant, result: Floats, marks: QualityArray
    ) -> None:
        inside, group, count = stage.inside, stage.place, len(stage.meters)
        missing = np.isnan(result) & inside
        if not missing.any():
            return
        known = np.bincount(group, np.where(inside & ~missing, np.nan_to_num(result), 0.0), count)
        meter = instant.values[stage.meters]
        lowest, highest = _BELIEVED_DELIVERED_SHARE
        believed = (instant.quality[stage.meters] >= FIRST_GOOD) & np.isfinite(meter)
        believed &= (stage.delivered >= lowest) & (stage.delivered <= highest)
        # Less than what is seen to flow out below it: the parent is dead, wrong or of another time.
        believed &= meter >= known * (1.0 - _PARENT_SHORTFALL)
        left = np.maximum(meter * np.minimum(stage.delivered, 1.0) - known, 0.0)
        weights = self._expected
        missing_weight = np.bincount(group, np.where(missing, weights, 0.0), count)
        fill = missing & believed[group]
        part = np.divide(weights, missing_weight[group], out=np.zeros_like(weights), where=fill)
        result[fill] = np.minimum(left[group] * part, self._most)[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _fill_from_neighbours(
        self, levels: Sequence[Floats], now: int, result: Floats, marks: QualityArray
    ) -> None:
        missing = np.isnan(result)
        if not missing.any():
            return
        level = self._neighbours.reached(levels)
        usual = self._shares * self._ratings * level
        taught = self._rest(usual, missing, result)
        known = self._of_load(np.where(missing, 0.0, result))
        known_rating = self._of_load(np.where(missing, 0.0, self._ratings))
        usually = level * self._expected / self._ratings
        like_the_others = np.divide(known, known_rating, out=usually, where=known_rating > 0)
        guess = np.where(np.isfinite(self._shares), taught, np.maximum(like_the_others, 0.0) * self._ratings)
        # Whether what stands by still runs, neither others tell nor what it usually delivers.
        fill = missing & np.isfinite(guess) & ~self._fed_back(now) & ~self._standby
        result[fill] = np.minimum(guess, self._most)[fill]
        marks[fill] = Quality.SUBSTITUTE

    def _rest(self, usual: Floats, missing: Bools, result: Floats) -> Floats:
        """What the missing sources of each load must supply together to make up its usual sum.

        One of which nothing is known takes nothing from the others. They deliver no more than they usually
        do, which is nothing of what only draws.
        """
        told = np.nan_to_num(usual)
        known = self._of_load(np.where(missing, 0.0, result))
        of_missing = self._of_load(np.where(missing, told, 0.0))
        rest = np.maximum(self._of_load(told) - known, np.minimum(of_missing, 0.0))
        part = np.divide(told, of_missing, out=np.zeros_like(usual), where=of_missing != 0)
        return np.where(np.isfinite(usual), rest * part, np.nan)

    def _note_known(self, result: Floats, now: int) -> None:
        """Remember each load all of whose sources are measured or estimated."""
        settled = self._of_load(np.isnan(result)) == 0
        self._last[settled] = result[settled]
        self._last_at[settled] = now

    def _fill_held(self, now: int, result: Floats, marks: QualityArray) -> None:
        missing, recent = np.isnan(result), self._recently_known(now)
        if not (missing & recent).any():
            return
        held = self._rest(self._last, missing, result)
        fill = missing & recent & np.isfinite(held)
        result[fill] = held[fill]
        marks[fill] = Quality.LAST_USABLE

    def _recently_known(self, now: int) -> Bools:
        """Whose load was known a short while ago."""
        np.minimum(self._last_at, now, out=self._last_at)  # the clock may have been set back
        recent: Bools = (now - self._last_at) <= HOLD_SECONDS * NANOSECONDS
        return recent

    def _fed_back(self, now: int) -> Bools:
        """Which delivered a short while ago: what generates behind them is nothing that others tell."""
        return (self._last < 0) & ~self._drawing & self._recently_known(now)

    def _learn_delivered(self, instant: Instant, usable: Bools, readings: Floats) -> None:
        weights = self._expected
        for stage in self._stages:
            inside, group, count = stage.inside, stage.place, len(stage.meters)
            absent = np.bincount(group, inside & ~usable, count)
            known = np.bincount(group, np.where(inside & usable, readings, 0.0), count)
            expected = np.bincount(group, np.where(inside, weights, 0.0), count)
            meter = instant.values[stage.meters]
            learn = (absent == 0) & (instant.quality[stage.meters] >= FIRST_GOOD) & (meter > 0)
            learn &= known > _LOWEST_LEARNED_UTILISATION * expected
            share = np.divide(known, meter, out=np.ones_like(known), where=learn)
            share = np.minimum(np.maximum(share, 0.0), 2.0)
            stage.delivered[learn] += _SHARE_SMOOTHING * (share - stage.delivered)[learn]
