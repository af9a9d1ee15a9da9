"""Which counters make up an energy: those of a boundary, and what stands in for those it lacks."""

from dataclasses import dataclass

import numpy as np

from facility.quantities import EnergyQuantity
from facility.site import Site
from facility.sources import Bools, Ints

_RETURNED = " returned"
"""Follows a device's id where its counter of what flows back is remembered; no id has a space in it."""


@dataclass(frozen=True, slots=True)
class Meters:
    """What is added up to an energy: counters, and powers of meters that have none. Arrays in point order."""

    places: Ints
    """Of each one's device among the site's."""
    points: Ints
    """Index of the counter over the whole site, or of the power."""
    integrated: Bools
    """Which are powers."""
    returned: Bools
    """Which count what flows back, to be taken off."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)


def meters_of(site: Site, quantity: EnergyQuantity) -> Meters:
    """The counters of a boundary, the powers of those of its meters that have none, and what counts back."""
    inside = site.counting_in(quantity.boundary)
    places, points = site.points_of(quantity.type_key)
    places, points = places[inside[places]], points[inside[places]]
    others, powers = site.points_of(quantity.power_type_key)
    lone = inside[others] & ~np.isin(others, places)
    forth = np.concatenate([places, others[lone]])
    back, exports = forth[:0], points[:0]
    if quantity.returned_type_key is not None:
        back, exports = site.points_of(quantity.returned_type_key)
        paired = np.isin(back, forth)
        back, exports = back[paired], exports[paired]
    points = np.concatenate([points, powers[lone], exports])
    order = np.argsort(points)
    counts = [len(places), int(lone.sum()), len(back)]
    integrated = np.repeat([False, True, False], counts)
    returned = np.repeat([False, False, True], counts)
    return Meters(np.concatenate([forth, back])[order], points[order], integrated[order], returned[order])


def names_of(site: Site, meters: Meters) -> tuple[str, ...]:
    """By which counters are remembered."""
    return tuple(
        f"{site.devices[at].id}{_RETURNED if returned else ''}"
        for at, returned in zip(meters.places.tolist(), meters.returned.tolist(), strict=True)
    )


def entering(meters: Meters) -> Ints:
    """Of each counter that counts back, the one of the same meter that does not."""
    forth = np.flatnonzero(~meters.returned)
    order = np.argsort(meters.places[forth], kind="stable")
    ordered = forth[order]
    found: Ints = ordered[np.searchsorted(meters.places[ordered], meters.places[meters.returned])]
    return found
