"""What communication alarms say, and how much they matter."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerting.alarms import Alarm, Category, Priority
from alerting.messages import moment, place, words
from alerting.silence_groups import ENDPOINT_SILENT, FEED_SILENT, SHARD_SILENT, Group
from facility.devices import Device
from facility.quality import text
from facility.site import Site

DEVICE_SILENT = "device-silent"
DEVICE_BLIND = "device-blind"
NETWORK_SILENT = "network-silent"

_MOST_NAMES = 3


class CommunicationAuthor:
    """Writes communication alarms."""

    def __init__(self, site: Site, endpoints: Mapping[str, str], shards: Mapping[str, str]) -> None:
        self.site = site
        self._endpoints = endpoints
        self._shards = shards
        self.paired = paired_devices(site)
        """Which devices are one of a pair: shape (devices,)."""

    @cached_property
    def _spaces(self) -> dict[str, list[str]]:
        """Where the devices of each endpoint and shard stand."""
        found: dict[str, list[str]] = {}
        for device in self.site.devices:
            for name in filter(None, (self._endpoints.get(device.id), self._shards.get(device.id))):
                found.setdefault(name, []).append(device.space)
        return found

    def silent(self, device_id: str, last: int, now: int) -> Alarm:
        """A device of which nothing is current; ``last`` is its last reading (ns), 0 if there was none."""
        device = self.site.device(device_id)
        heard = (
            f"no reading since {moment(last, self.site)}" if last else "no reading since dcops was started"
        )
        via = self._endpoints.get(device_id)
        reached = f" Check the endpoint {via} if its other devices are slow too." if via else ""
        return self._alarm(
            DEVICE_SILENT,
            device,
            now,
            message=f"{self._where(device)}: {heard}",
            action=f"Check the device's power, cable and address.{reached}",
        )

    def blind(self, device_id: str, points: list[str], quality: int, now: int) -> Alarm:
        """A device that talks, but whose watched points (names) have no good value."""
        device = self.site.device(device_id)
        names = ", ".join(points[:_MOST_NAMES]) + (" …" if len(points) > _MOST_NAMES else "")
        return self._alarm(
            DEVICE_BLIND,
            device,
            now,
            message=f"{self._where(device)}: no good value of {names} ({text(quality)}), so no alarm on it",
            action="Check the sensor and the device's display; correct its profile if it has no such point.",
        )

    def group(self, group: Group, since: int, now: int) -> Alarm:
        """A group all of whose devices have been silent since ``since`` (ns)."""
        if group.rule == SHARD_SILENT:
            return self._shard(group, since, now)
        return self._feed(group, since, now) if group.kind else self._endpoint(group, since, now)

    def network(self, space: str, dead: int, endpoints: int, since: int, now: int) -> Alarm:
        """So many of all the endpoints of a space lost at once; the first devices since ``since`` (ns)."""
        where = self.site.space(space)
        is_site = where.parent is None
        return _silence(
            NETWORK_SILENT,
            space,
            space,
            priority=Priority.HIGH,
            message=(
                f"{place(self.site, space)}: {dead} of {endpoints} endpoints silent, stale since "
                f"{moment(since, self.site)}; {'most of the site' if is_site else 'it'} cannot be seen"
            ),
            action=(
                "Check the network of the machine that dcops runs on - link, switch, VLAN, firewall - "
                "before any single gateway."
                if is_site
                else f"Check the network of this {where.level} - switch, uplink - and whether it has power "
                "at all; watch it on site until it is back."
            ),
            now=now,
        )

    def _shard(self, group: Group, since: int, now: int) -> Alarm:
        space = common_space(self.site, self._spaces[group.about])
        return _silence(
            SHARD_SILENT,
            group.about,
            space,
            priority=group.priority,
            message=(
                f"{group.about} in {place(self.site, space)}: all {group.members.size} devices it collects "
                f"silent, stale since {moment(since, self.site)}"
            ),
            action=(
                "Check that dcops runs on the machine of the shard and reaches the head; its own page says "
                "what it lacks. If both are fine, check its network to the devices."
            ),
            now=now,
        )

    def _endpoint(self, group: Group, since: int, now: int) -> Alarm:
        endpoint = group.about
        space = common_space(self.site, self._spaces[endpoint])
        return _silence(
            ENDPOINT_SILENT,
            endpoint,
            space,
            priority=group.priority,
            message=(
                f"{endpoint} in {place(self.site, space)}: all {group.members.size} devices silent, "
                f"stale since {moment(since, self.site)}"
            ),
            action="Check the gateway or broker: its power, its network path, and whether its port answers.",
            now=now,
        )

    def _feed(self, group: Group, since: int, now: int) -> Alarm:
        what = words(group.kind) if group.kind is not None else ""
        other = "B" if group.feed == "A" else "A"
        return _silence(
            FEED_SILENT,
            group.about,
            group.about,
            point=group.point,
            priority=group.priority,
            message=(
                f"Feed {group.feed} in {place(self.site, group.about)}: all "
                f"{group.members.size} {what} devices silent, stale since {moment(since, self.site)}; "
                f"feed {other} still answers"
            ),
            action=(
                f"Find out whether feed {group.feed} has power here - UPS, panels, breakers - and "
                f"whether feed {other} has room for both. If it has power, check what network they share."
            ),
            now=now,
        )

    def _where(self, device: Device) -> str:
        return f"{device.id} in {place(self.site, device.space)}"

    def _alarm(self, rule: str, device: Device, now: int, *, message: str, action: str) -> Alarm:
        return _silence(
            rule,
            device.id,
            device.space,
            priority=device_priority(paired=bool(self.paired[self.site.device_index[device.id]])),
            message=message,
            action=action,
            now=now,
        )


def _silence(
    rule: str,
    about: str,
    space: str,
    *,
    message: str,
    action: str,
    now: int,
    priority: Priority,
    point: str = "",
) -> Alarm:
    return Alarm(
        id=f"{rule}:{about}.{point}" if point else f"{rule}:{about}",
        rule=rule,
        category=Category.COMMUNICATION,
        priority=priority,
        device=about,
        point=point,
        space=space,
        value=None,
        limit=None,
        unit="",
        message=message,
        action=action,
        raised=now,
        runbook=rule,
    )


def device_priority(*, paired: bool) -> Priority:
    """How much the alarm of one device matters: more if its twin now stands alone."""
    return Priority.MEDIUM if paired else Priority.LOW


def paired_devices(site: Site) -> NDArray[np.bool_]:
    """Which devices have a twin on the other feed: same kind, in the same space or serving the same."""
    feeds, kinds, serving = site.columns.feeds, site.columns.kinds, site.serving
    devices = np.concatenate((np.arange(len(site.devices)), serving.suppliers))
    about = np.concatenate((len(site.devices) + site.device_spaces, serving.targets))
    fed = feeds[devices] >= 0
    devices, about = devices[fed], about[fed]
    order = np.lexsort((kinds[devices], about))
    devices, about = devices[order], about[order]
    differs = (about[1:] != about[:-1]) | (kinds[devices[1:]] != kinds[devices[:-1]])
    starts = np.flatnonzero(np.append(True, differs)[: len(devices)])
    paired = np.zeros(len(site.devices), dtype=np.bool_)
    if starts.size:
        of_group = feeds[devices]
        several = np.maximum.reduceat(of_group, starts) != np.minimum.reduceat(of_group, starts)
        paired[devices[np.repeat(several, np.diff(np.append(starts, len(devices))))]] = True
    return paired


def common_space(site: Site, spaces: list[str]) -> str:
    """Id of the smallest space that all of these are in."""
    unique = list(dict.fromkeys(spaces))
    paths = [[space.id for space in site.ancestors(each)] for each in unique]
    shared = set(paths[0]).intersection(*paths[1:])
    return next(space for space in paths[0] if space in shared)
