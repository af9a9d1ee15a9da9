"""What an alarm says: templates filled in with names, places and amounts that people read."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from zoneinfo import ZoneInfo

from alerting.rules import Rule
from facility.sample import NANOSECONDS
from facility.site import Site

PLACEHOLDERS = ("device", "name", "place", "point", "value", "limit", "kind", "feed")
"""What a message template may name in braces: the id of the device or space, its name, where it is
(``Building 1 › Hall 1 › Rack 3``), the point, its value and limit with unit, the device's kind and feed."""

_PREFIXED = ("W", "Wh", "VA", "var", "V")
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_FINE = 10.0
_ACRONYMS = frozenset(["ups", "rpp", "pdu", "cdu", "crah", "tcs", "fws", "chw", "cw", "l1", "l2", "l3"])


_MOST_DECIMALS = 3
"""More than these are shown of no value."""


def amount(value: float, unit: str, finer: int = 0) -> str:
    """A value with its unit, short: ``81.5 kW``, ``27.0 °C``, ``1`` for a state; ``finer`` adds decimals."""
    if not isfinite(value):
        return "no value"
    if unit in _PREFIXED:
        for factor, prefix in _PREFIXES:
            if abs(value) >= factor:
                decimals = finer + (2 if abs(value) < _FINE * factor else 1)
                return f"{value / factor:.{decimals}f} {prefix}{unit}"
    if unit in ("1", ""):
        return f"{value:g}"
    return f"{value:.{1 + finer}f} {unit}"


def amounts(value: float, limit: float, unit: str) -> tuple[str, str]:
    """A value and its limit, with as many decimals, within reason, as it takes to tell them apart."""
    texts = amount(value, unit), amount(limit, unit)
    for finer in range(1, _MOST_DECIMALS):
        if texts[0] != texts[1] or value == limit:
            break
        texts = amount(value, unit, finer), amount(limit, unit, finer)
    return texts


def place(site: Site, space_id: str) -> str:
    """Where a space is, from the building down; the campus is named only where there is nothing below it."""
    names = [space.name or space.id for space in site.ancestors(space_id)]
    below = names[:-1]
    return " › ".join(reversed(below)) if below else names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A value beyond its limit."""

    owner: str
    """Id of the device or space."""
    point: str
    value: float
    limit: float
    unit: str


def process_message(rule: Rule, site: Site, excess: Excess) -> str:
    """The rule's template, filled in."""
    device = site.device(excess.owner) if excess.owner in site.device_index else None
    space = device.space if device is not None else excess.owner
    value, limit = amounts(excess.value, excess.limit, excess.unit)
    return rule.message.format(
        device=excess.owner,
        name=name_of(site, excess.owner),
        place=place(site, space),
        point=words(excess.point),
        value=value,
        limit=limit,
        kind=words(device.kind) if device is not None else "",
        feed=(device.feed or "not known") if device is not None else "",
    )


def moment(time: int, site: Site) -> str:
    """Time (ns) on the clocks of the site, as its page and its people have it."""
    there = datetime.fromtimestamp(time // NANOSECONDS, ZoneInfo(site.timezone))
    return there.strftime("%Y-%m-%d %H:%M:%S %Z")


def name_of(site: Site, owner: str) -> str:
    """What people call a device or space; its id if it has no name."""
    if owner in site.device_index:
        return site.device(owner).name or owner
    return site.space(owner).name or owner


def words(key: str) -> str:
    """A kind or point as people say it: ``rack PDU``, ``current L1``."""
    return " ".join(word.upper() if word in _ACRONYMS else word for word in key.split("_"))
