"""The headline numbers of every space as columns, and what changed in them since a stream was last sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from console.alarms import PRIORITIES, AlarmTally
from console.context import ConsoleContext, Image
from console.models import LiveNodes, LiveTick, Priority
from console.parameters import Arguments
from console.readings import key_figure, number, rollup_reading, take
from console.spaces import Ints, SpacePlan
from facility.sample import NANOSECONDS

Floats = NDArray[np.float64]
MILLISECOND = 1_000_000
_READ_GRAIN = 100  # ms; hides the rounding of ages, so that a silent rack does not seem to change


class SpaceRow(NamedTuple):
    """Headline numbers of one space, as in ``SpaceColumns``."""

    power: float
    quality: int
    coverage: float
    read: int
    temperature: float
    temperature_quality: int
    alarms: int
    rank: int


@dataclass(frozen=True, slots=True)
class SpaceColumns:
    """Headline numbers; all of shape (spaces,), in the plan's order. -1 stands for none in whole numbers."""

    power: Floats
    quality: Ints
    coverage: Floats
    read: Ints
    """When the oldest reading in it was made, ms since the epoch."""
    temperature: Floats
    temperature_quality: Ints
    alarms: Ints
    ranks: Ints

    def rows(self) -> Iterator["SpaceRow"]:
        """The same, space by space."""
        columns = (
            self.power,
            self.quality,
            self.coverage,
            self.read,
            self.temperature,
            self.temperature_quality,
            self.alarms,
            self.ranks,
        )
        return map(SpaceRow._make, zip(*(column.tolist() for column in columns), strict=True))

    def changed_from(self, other: "SpaceColumns") -> NDArray[np.bool_]:
        """Which spaces show something else than before."""
        changed = _differ(self.power, other.power)
        changed |= _differ(self.coverage, other.coverage)
        changed |= _differ(self.temperature, other.temperature)
        changed |= self.quality != other.quality
        changed |= self.read != other.read
        changed |= self.temperature_quality != other.temperature_quality
        changed |= self.alarms != other.alarms
        changed |= self.ranks != other.ranks
        return changed


def read_columns(image: Image, plan: SpacePlan, tally: AlarmTally) -> SpaceColumns:
    """The columns as the image stands. Rounded to what a page can show: 1 W, 0.01 %, 0.01 °C."""
    age = take(image.values, plan.power_age)
    computed = np.where(plan.power_age >= 0, image.times[np.maximum(plan.power_age, 0)], 0)
    known = np.isfinite(age) & (computed > 0)
    read = (computed - np.where(known, age, 0.0) * NANOSECONDS) / (MILLISECOND * _READ_GRAIN)
    return SpaceColumns(
        power=np.round(take(image.values, plan.power)),
        quality=_codes(image, plan.power),
        coverage=np.round(take(image.values, plan.power_coverage), 4),
        read=np.where(known, np.round(read) * _READ_GRAIN, -1).astype(np.int64),
        temperature=np.round(take(image.values, plan.temperature), 2),
        temperature_quality=_codes(image, plan.temperature),
        alarms=tally.counts,
        ranks=tally.ranks,
    )


def _differ(mine: Floats, theirs: Floats) -> NDArray[np.bool_]:
    differing: NDArray[np.bool_] = (mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))
    return differing


def _codes(image: Image, indices: Ints) -> Ints:
    codes: Ints = np.where(indices >= 0, image.quality[np.maximum(indices, 0)].astype(np.int64), -1)
    return codes


class LiveFeed:
    """What the stream sends. Computed once a tick, however many are listening, and never unasked."""

    def __init__(self, view: ConsoleContext, plan: SpacePlan) -> None:
        self._view = view
        self._plan = plan
        # A list changes once a second at most, so that of a later feed begins beyond what this one reaches.
        self._tally = AlarmTally(plan, revision=view.clock.now() // MILLISECOND)
        self._ids = [space.id for space in plan.spaces]
        self._campus_rollups = plan.rollups(view.site.campus.id)
        self._tick = -1
        self._columns: SpaceColumns | None = None
        self._changed_at: Ints = np.zeros(len(plan.spaces), dtype=np.int64)
        self._encoded: dict[int | None, bytes] = {}

    def columns(self) -> SpaceColumns:
        """The columns now."""
        self._tally.update(self._view.alarms.active())
        return read_columns(self._view.image, self._plan, self._tally)

    async def now(self, _: Arguments) -> orjson.Fragment:
        """A ``LiveTick`` of everything, encoded once a tick."""
        return orjson.Fragment(self.message(None))

    def message(self, since: int | None) -> bytes:
        """JSON of the latest tick for one who last had the tick ``since``; everything if that is None."""
        self._refresh()
        if since not in self._encoded:
            self._encoded[since] = self._encode(since)
        return self._encoded[since]

    def _refresh(self) -> None:
        tick = self._view.ticks.number
        if tick == self._tick:
            return
        columns = self.columns()
        if self._columns is not None:
            self._changed_at[columns.changed_from(self._columns)] = tick
        self._tick, self._columns, self._encoded = tick, columns, {}

    def _encode(self, since: int | None) -> bytes:
        image, now = self._view.image, self._view.ticks.time or self._view.clock.now()
        campus = self._view.site.campus.id
        everything = np.arange(len(self._ids))
        chosen = everything if since is None else np.flatnonzero(self._changed_at > since)
        tick = LiveTick(
            tick=self._tick,
            time=now // MILLISECOND,
            alarms=self._tally.totals(),
            campus={p.quantity.key: rollup_reading(image, campus, p, now) for p in self._campus_rollups},
            kpis=tuple(key_figure(image, group, now) for group in self._plan.key_figures.get(campus, ())),
            nodes=self._nodes(chosen),
        )
        return orjson.dumps(tick)

    def _nodes(self, chosen: Ints) -> LiveNodes:
        columns = self._columns
        if columns is None:  # pragma: no cover - message() refreshes first
            raise RuntimeError("the feed has not been refreshed")
        return LiveNodes(
            id=tuple(self._ids[at] for at in chosen.tolist()),
            power=_numbers(columns.power, chosen),
            quality=_wholes(columns.quality, chosen),
            coverage=_numbers(columns.coverage, chosen),
            read=_wholes(columns.read, chosen),
            temperature=_numbers(columns.temperature, chosen),
            temperature_quality=_wholes(columns.temperature_quality, chosen),
            alarms=tuple(columns.alarms[chosen].tolist()),
            priority=tuple(priority(r) for r in columns.ranks[chosen].tolist()),
        )


def priority(of_rank: int) -> Priority | None:
    """The priority of a rank; None for 0."""
    return PRIORITIES[of_rank - 1] if of_rank else None


def whole(value: int) -> int | None:
    """A whole number of a column for JSON: None for -1."""
    return value if value >= 0 else None


def _numbers(column: Floats, chosen: Ints) -> tuple[float | None, ...]:
    return tuple(number(value) for value in column[chosen].tolist())


def _wholes(column: Ints, chosen: Ints) -> tuple[int | None, ...]:
    return tuple(whole(value) for value in column[chosen].tolist())
