"""Warnings about what a site's meters leave out: totals and key figures that will lack something."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dcops.site_file.problems import Findings
from dcops.site_file.registry import Registry
from facility.columns import boundary_of
from facility.devices import Boundary
from facility.quantities import ENERGIES, QUANTITIES
from facility.site import Site
from facility.spaces import LEVELS, Level

_IT = (Boundary.IT_UPS, Boundary.IT_PDU, Boundary.IT_RACK)


def warn_unmetered(site: Site, registry: Registry) -> None:
    """Warn of racks and whole sites that no meter stands for."""
    findings: Findings = registry.findings
    metered = np.zeros(len(site.spaces), dtype=np.bool_)
    metered[site.device_spaces[site.columns.counting_in(Boundary.IT_RACK)]] = True
    racks = np.equal(site.space_levels, LEVELS.index(Level.RACK))
    bare = [site.spaces[at].id for at in np.flatnonzero(racks & ~metered).tolist()]
    if bare:
        place = registry.spaces.entries[bare[0]].place
        some = f"{bare[0]} and {len(bare) - 1} more" if len(bare) > 1 else bare[0]
        findings.warn(
            place, f"{len(bare)} of {racks.sum()} racks have no meter ({some}); their power is in no total"
        )
    _warn_pointless(site, registry)
    boundaries = set(_boundaries_of(site.columns.boundaries))
    if Boundary.FACILITY_INPUT not in boundaries:
        findings.warn(registry.site, "no meter counts as facility_input; there will be no PUE")
    elif boundaries.isdisjoint(_IT):
        findings.warn(registry.site, "no meter counts as it_ups, it_pdu or it_rack; there will be no PUE")
    else:
        _warn_one_sided(site, registry)
        _warn_cooling_as_it(site, registry)


def _warn_one_sided(site: Site, registry: Registry) -> None:
    """Warn of buildings that count on one side of a PUE of the whole site only."""
    counted = _counted_in_buildings(site)
    everywhere = counted.pop("", frozenset())
    for boundary, what in ((Boundary.FACILITY_INPUT, "input"), *((each, "IT") for each in _IT)):
        with_it = [each for each, found in counted.items() if boundary in found]
        if not with_it or boundary in everywhere:  # a meter outside of the buildings may be that of any
            continue
        for building, found in counted.items():
            if boundary not in found and not found.isdisjoint(_IT):
                registry.findings.warn(
                    registry.spaces.entries[building].place,
                    f"building {building} has meters of IT and none that counts as {boundary}, as"
                    f" {with_it[0]} has: its {what} is missing from a PUE of the whole site",
                )


def _warn_cooling_as_it(site: Site, registry: Registry) -> None:
    """Warn of meters of IT with cooling below them: what that draws is no IT energy."""
    columns, found = site.columns, np.zeros(len(site.devices), dtype=np.bool_)
    cooling = np.flatnonzero(columns.counting_in(Boundary.MECHANICAL))
    found[site.feeding.above(cooling)] = True
    for boundary in _IT:
        meters = np.flatnonzero(found & columns.counting_in(boundary)).tolist()
        if not meters:
            continue
        first = site.devices[meters[0]].id
        more = f" (and {len(meters) - 1} more)" if len(meters) > 1 else ""
        registry.findings.warn(
            registry.devices.entries[first].at("serves"),
            f"device {first}{more}: counts as {boundary} and feeds cooling, which is counted as IT with it:"
            f" a PUE by {boundary} is too low; count IT further down, and set boundary: none here",
        )


def _counted_in_buildings(site: Site) -> dict[str, frozenset[Boundary]]:
    """The boundaries that devices in each building count in; those outside of buildings under no name."""
    lines = site.lineage
    is_building = (lines >= 0) & (site.space_levels[lines] == LEVELS.index(Level.BUILDING))
    building_of = np.where(is_building, lines, -1).max(axis=1)[site.device_spaces]
    boundaries = site.columns.boundaries
    found = {}
    for building in np.flatnonzero(np.bincount(building_of + 1)).tolist():
        name = site.spaces[building - 1].id if building else ""
        found[name] = frozenset(_boundaries_of(boundaries[building_of == building - 1]))
    return {name: each for name, each in found.items() if each}


def _boundaries_of(codes: NDArray[np.int16]) -> list[Boundary]:
    """Those that some devices count in."""
    found = [boundary_of(code - 1) for code in np.flatnonzero(np.bincount(codes + 1)).tolist()]
    return [each for each in found if each is not None]


def _warn_pointless(site: Site, registry: Registry) -> None:
    """Warn of devices that count in a boundary but measure nothing of what it adds up, or something twice."""
    boundaries = site.columns.boundaries
    for points, places in site.makes:
        for boundary in _boundaries_of(boundaries[places]):
            needed = {each.type_key for each in QUANTITIES if each.boundary is boundary}
            needed |= {each.type_key for each in ENERGIES if each.boundary is boundary}
            returned = [
                each.returned_type_key
                for each in ENERGIES
                if each.boundary is boundary and each.returned_type_key is not None
            ]
            found = {key: [each.name for each in points if each.type.key == key] for key in sorted(needed)}
            counting = places[site.columns.counting_in(boundary)[places]].tolist()
            if needed and not any(found.values()):
                for at in counting:
                    _warn_of_nothing(site.devices[at].id, boundary, found, registry)
            back = {key: [each.name for each in points if each.type.key == key] for key in returned}
            for key, names in (found | back).items():
                if len(names) > 1:
                    _warn_of_twice(site.devices[counting[0]].id, boundary, key, names, registry)


def _warn_of_nothing(device: str, boundary: Boundary, types: Iterable[str], registry: Registry) -> None:
    registry.findings.warn(
        registry.devices.entries[device].at("boundary"),
        f"device {device}: counts as {boundary}, its profile has no {' or '.join(types)}; set boundary: none",
    )


def _warn_of_twice(
    device: str, boundary: Boundary, key: str, names: Sequence[str], registry: Registry
) -> None:
    registry.findings.warn(
        registry.devices.entries[device].at("profile"),
        f"device {device}: counts as {boundary}, and its profile has"
        f" {' and '.join(names)} of type {key}, which are added up; give all but the whole of it"
        " another type",
    )
