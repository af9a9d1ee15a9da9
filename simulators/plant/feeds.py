"""Where a feed begins, for taking it away."""

from facility.devices import Device, DeviceKind, Feed
from facility.site import Site

_GRID = (DeviceKind.UTILITY_METER, DeviceKind.BOARD_METER)
_DISTRIBUTION = (DeviceKind.RPP, DeviceKind.BUSWAY_TAP, DeviceKind.RACK_PDU)


def utility_of(site: Site, feed: Feed, space_id: str) -> list[int]:
    """Numbers of the devices at which the grid comes to a feed in a space: meters, else boards."""
    return _first(site, _GRID, feed, space_id)


def distribution_of(site: Site, feed: Feed, space_id: str) -> tuple[list[int], list[int]]:
    """(devices whose output to open, devices whose input to cut) to lose a feed behind its UPSs."""
    sources = _of(site, DeviceKind.UPS, feed, space_id)
    if sources:
        return sources, []
    return [], _first(site, _DISTRIBUTION, feed, space_id)


def _first(site: Site, kinds: tuple[DeviceKind, ...], feed: Feed, space_id: str) -> list[int]:
    return next((found for kind in kinds if (found := _of(site, kind, feed, space_id))), [])


def _of(site: Site, kind: DeviceKind, feed: Feed, space_id: str) -> list[int]:
    return [
        at
        for at, device in enumerate(site.devices)
        if device.kind is kind and device.feed is feed and _inside(site, device, space_id)
    ]


def _inside(site: Site, device: Device, space_id: str) -> bool:
    return any(space.id == space_id for space in site.ancestors(device.space))
