"""Warnings about what a site's meters leave out: totals and key figures that will lack something."""

from dcops.site_file.problems import Findings
from dcops.site_file.registry import Registry
from facility.devices import Boundary
from facility.quantities import ENERGIES, QUANTITIES
from facility.site import Site
from facility.spaces import Level

_IT = (Boundary.IT_UPS, Boundary.IT_PDU, Boundary.IT_RACK)


def warn_unmetered(site: Site, registry: Registry) -> None:
    """Warn of racks and whole sites that no meter stands for."""
    findings: Findings = registry.findings
    metered = {device.space for device in site.devices if device.boundary is Boundary.IT_RACK}
    racks = [space for space in site.spaces if space.level is Level.RACK]
    bare = [space.id for space in racks if space.id not in metered]
    if bare:
        place = registry.spaces.entries[bare[0]].place
        some = f"{bare[0]} and {len(bare) - 1} more" if len(bare) > 1 else bare[0]
        findings.warn(
            place, f"{len(bare)} of {len(racks)} racks have no meter ({some}); their power is in no total"
        )
    _warn_pointless(site, registry)
    boundaries = {device.boundary for device in site.devices}
    if Boundary.FACILITY_INPUT not in boundaries:
        findings.warn(registry.site, "no meter counts as facility_input; there will be no PUE")
    elif boundaries.isdisjoint(_IT):
        findings.warn(registry.site, "no meter counts as it_ups, it_pdu or it_rack; there will be no PUE")
    else:
        _warn_one_sided(site, registry)


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


def _counted_in_buildings(site: Site) -> dict[str, frozenset[Boundary]]:
    """The boundaries that devices in each building count in; those outside of buildings under no name."""
    found: dict[str, set[Boundary]] = {}
    counted = dict.fromkeys((each.space, each.boundary) for each in site.devices if each.boundary is not None)
    buildings: dict[str, str] = {}
    for space, boundary in counted:
        building = buildings.get(space)
        if building is None:
            building = buildings[space] = site.position(space).get(Level.BUILDING, "")
        found.setdefault(building, set()).add(boundary)
    return {building: frozenset(each) for building, each in found.items()}


def _warn_pointless(site: Site, registry: Registry) -> None:
    """Warn of devices that count in a boundary but measure nothing of what it adds up, or something twice."""
    useful: set[tuple[Boundary, int]] = set()
    """Boundaries and points of makes of devices that measure something of what the boundary adds up."""
    for device in site.devices:
        if device.boundary is None or (device.boundary, id(device.points)) in useful:
            continue
        needed = {each.type_key for each in QUANTITIES if each.boundary is device.boundary}
        needed |= {each.type_key for each in ENERGIES if each.boundary is device.boundary}
        useful.add((device.boundary, id(device.points)))
        entry = registry.devices.entries[device.id]
        found = {key: [each.name for each in device.points if each.type.key == key] for key in sorted(needed)}
        if needed and not any(found.values()):
            useful.discard((device.boundary, id(device.points)))
            registry.findings.warn(
                entry.at("boundary"),
                f"device {device.id}: counts as {device.boundary}, its profile has no"
                f" {' or '.join(found)}; set boundary: none",
            )
        for key, names in found.items():
            if len(names) > 1:
                registry.findings.warn(
                    entry.at("profile"),
                    f"device {device.id}: counts as {device.boundary}, and its profile has"
                    f" {' and '.join(names)} of type {key}, which are added up; give all but the whole of it"
                    " another type",
                )
