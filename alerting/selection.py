"""Which points a rule watches, found once at start."""

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.rules import Amount, Direction, Reference, Rule, Selector
from facility.catalogue import Catalogue
from facility.site import Site
from facility.spaces import LEVELS, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """A rule and everything it watches; arrays have one entry a point, in point order."""

    rule: Rule
    points: NDArray[np.int64]
    """Indices over the catalogue."""
    limits: NDArray[np.float64]
    """Where an alarm begins."""
    clears: NDArray[np.float64]
    """Where it ends: beyond this, away from the limit."""
    silent: NDArray[np.bool_] | None
    """Which points say nothing while nothing changes, so that time passes for them without readings;
    None if there are none."""
    unrated: tuple[str, ...]
    """Ids of devices or spaces left out because they lack the rating the limit is a share of."""


def plan_rules(rules: tuple[Rule, ...], site: Site, catalogue: Catalogue) -> tuple[RulePlan, ...]:
    """One plan for every rule, in order; the plan of a rule that finds nothing is empty."""
    return tuple(plan_rule(rule, site, catalogue) for rule in rules)


def plan_rule(rule: Rule, site: Site, catalogue: Catalogue) -> RulePlan:
    """Find what the rule watches and compute its limits."""
    selector = rule.selector
    found = _find_rollups(selector, site, catalogue) if selector.quantity else _find_points(selector, site)
    limits = _resolve(rule.limit, found, np.zeros(len(found.points)))
    deadbands = _resolve(rule.deadband, found, np.nan_to_num(limits))
    rated = np.isfinite(limits) & np.isfinite(deadbands)
    sign = -1.0 if rule.direction is Direction.HIGH else 1.0
    starts, ends = limits[rated], limits[rated] + sign * deadbands[rated]
    silent = found.silent[rated]
    return RulePlan(
        rule=rule,
        points=found.points[rated],
        limits=_compact(starts),
        clears=_compact(ends),
        silent=silent if silent.any() else None,
        unrated=tuple(dict.fromkeys(found.owner(at) for at in np.flatnonzero(~rated).tolist())),
    )


def finds_any(selector: Selector, site: Site) -> bool:
    """Whether anything on the site meets the selector."""
    if selector.quantity:
        return any(True for _ in _rollups(selector, site))
    return _find_points(selector, site).points.size > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The points that a rule names; arrays have one entry a point, in point order."""

    points: NDArray[np.int64]
    owner: Callable[[int], str]
    """Id of the device or space of each."""
    rated_power: NDArray[np.float64]
    """NaN where it is not known."""
    rated_current: NDArray[np.float64]
    silent: NDArray[np.bool_]


def _find_points(selector: Selector, site: Site) -> _Found:
    columns = site.columns
    devices, points = site.points_of(selector.point)
    meets = _spaces(selector, site)[site.device_spaces[devices]]
    if selector.kinds is not None:
        meets &= columns.of(selector.kinds)[devices]
    if selector.feed is not None:
        meets &= columns.on(selector.feed)[devices]
    devices, points = devices[meets], points[meets]
    if selector.devices or selector.excluded:
        wanted = _named(selector)
        called = np.array([wanted(site.devices[at].id) for at in devices.tolist()], dtype=np.bool_)
        devices, points = devices[called], points[called]
    return _Found(
        points=points,
        owner=lambda at: site.devices[devices[at]].id,
        rated_power=columns.rated_power[devices],
        rated_current=columns.rated_current[devices],
        silent=columns.by_exception[devices],
    )


def _find_rollups(selector: Selector, site: Site, catalogue: Catalogue) -> _Found:
    found = list(_rollups(selector, site))
    points = catalogue.places(selector.quantity, [space.id for space in found])
    return _Found(
        points=np.array(points, dtype=np.int64),
        owner=lambda at: found[at].id,
        rated_power=np.array([space.rated_power for space in found], dtype=np.float64),
        rated_current=np.full(len(found), np.nan),
        silent=np.zeros(len(found), dtype=np.bool_),
    )


def _rollups(selector: Selector, site: Site) -> Iterator[Space]:
    """The spaces whose rollup meets the selector, in site order."""
    wanted = _named(selector)
    spaces = _spaces(selector, site)
    for space, quantities, _ in site.carrying:
        inside = spaces[site.space_index[space.id]]
        if inside and wanted(space.id) and any(q.key == selector.quantity for q in quantities):
            yield space


def _spaces(selector: Selector, site: Site) -> NDArray[np.bool_]:
    """In which spaces a device may stand, or of which a rollup may be: shape (spaces,)."""
    inside = np.ones(len(site.spaces), dtype=np.bool_)
    if selector.within is not None:
        at = site.space_index.get(selector.within)
        inside = (site.lineage == at).any(axis=1) if at is not None else np.zeros_like(inside)
    if selector.levels is not None:
        inside &= np.isin(site.space_levels, [LEVELS.index(level) for level in selector.levels])
    return inside


def _named(selector: Selector) -> Callable[[str], bool]:
    wanted = _pattern(selector.devices)
    excluded = _pattern(selector.excluded)

    def meets(owner: str) -> bool:
        if excluded is not None and excluded.fullmatch(owner):
            return False
        return wanted is None or wanted.fullmatch(owner) is not None

    return meets


def _pattern(globs: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs)) if globs else None


def _resolve(amount: Amount, found: _Found, limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The amount in base units for each point; NaN if the rating it is a share of is not known."""
    bases: dict[Reference | None, NDArray[np.float64]] = {
        None: np.ones(len(found.points)),
        Reference.LIMIT: np.abs(limits),
        Reference.RATED_POWER: found.rated_power,
        Reference.RATED_CURRENT: found.rated_current,
    }
    return amount.value * bases[amount.of]


def _compact(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same array; without storage of its own if all entries are equal."""
    if array.size > 1 and (array == array[0]).all():
        return np.broadcast_to(array[0], array.shape)
    return array
