"""Warnings about feeds that contradict each other: a loss of one would be told otherwise than it comes."""

import numpy as np

from dcops.site_file.registry import Registry
from facility.columns import code_of, feed_of
from facility.devices import DeviceKind
from facility.site import Site


def warn_feeds(site: Site, registry: Registry) -> None:
    """Warn of devices that serve those of the other feed, and of racks that lack a feed most others have."""
    _warn_crossed(site, registry)
    _warn_without_counterpart(site, registry)


def _warn_crossed(site: Site, registry: Registry) -> None:
    serving, feeds = site.serving, site.columns.feeds
    between = serving.targets < serving.devices
    above, below = serving.suppliers[between], serving.targets[between]
    crossed = np.flatnonzero((feeds[above] >= 0) & (feeds[below] >= 0) & (feeds[above] != feeds[below]))
    if not crossed.size:
        return
    first = int(crossed[0])
    device, served = site.devices[int(above[first])], site.devices[int(below[first])]
    more = f" (and {crossed.size - 1} more such)" if crossed.size > 1 else ""
    registry.findings.warn(
        registry.devices.entries[device.id].at("serves"),
        f"device {device.id}: is of feed {device.feed} and serves {served.id} of feed {served.feed}{more};"
        " correct one of them, or leave out the feed of what supplies both",
    )


def _warn_without_counterpart(site: Site, registry: Registry) -> None:
    serving, columns = site.serving, site.columns
    feeds = columns.feeds[serving.suppliers]
    chosen = (columns.kinds[serving.suppliers] == code_of(DeviceKind.RACK_PDU)) & (feeds >= 0)
    chosen &= serving.targets >= serving.devices
    racks = serving.targets[chosen] - serving.devices
    found = np.zeros((len(site.spaces), 2), dtype=np.bool_)
    found[racks, feeds[chosen]] = True
    single, both = np.flatnonzero(found.sum(axis=1) == 1), np.flatnonzero(found.all(axis=1))
    if not 0 < len(single) < len(both):
        return
    first = int(single[0])
    space, feed = site.spaces[first].id, feed_of(int(found[first].argmax()))
    some = f"{space} has {feed} only" + (f", and {len(single) - 1} more" if len(single) > 1 else "")
    registry.findings.warn(
        registry.spaces.entries[space].place,
        f"{len(single)} of {len(single) + len(both)} racks hang on one feed ({some}), the others on both;"
        " add the rack PDU that is missing, or correct a feed",
    )
