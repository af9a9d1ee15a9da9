"""What communication alarms say, and how much they matter."""

from collections.abc import Mapping
from datetime import UTC, datetime

from alerting.alarms import Alarm, Category, Priority
from alerting.messages import place
from facility.devices import Device
from facility.quality import text
from facility.sample import NANOSECONDS
from facility.site import Site

DEVICE_SILENT = "device-silent"
DEVICE_BLIND = "device-blind"
ENDPOINT_SILENT = "endpoint-silent"

_MOST_NAMES = 3


class CommunicationAuthor:
    """Writes communication alarms. One of a redundant A/B pair matters more: its twin now stands alone."""

    def __init__(self, site: Site, endpoints: Mapping[str, str]) -> None:
        self.site = site
        self._endpoints = endpoints
        self._paired = paired_devices(site)
        self._spaces: dict[str, list[str]] = {}
        for device in site.devices:
            if device.id in endpoints:
                self._spaces.setdefault(endpoints[device.id], []).append(device.space)

    def silent(self, device_id: str, last: int, now: int) -> Alarm:
        """A device of which nothing is current; ``last`` is its last reading (ns), 0 if there was none."""
        device = self.site.device(device_id)
        heard = f"no reading since {_moment(last)}" if last else "never read"
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
            message=f"{self._where(device)}: no good value of {names} ({text(quality)}); no alarm can come",
            action="Check the sensor and the device's display; mend its profile if the point does not exist.",
        )

    def endpoint(self, endpoint: str, devices: int, since: int, now: int) -> Alarm:
        """An endpoint all of whose devices have been silent since ``since`` (ns)."""
        space = common_space(self.site, self._spaces[endpoint])
        return Alarm(
            id=f"{ENDPOINT_SILENT}:{endpoint}",
            rule=ENDPOINT_SILENT,
            category=Category.COMMUNICATION,
            priority=Priority.MEDIUM,
            device=endpoint,
            point="",
            space=space,
            value=None,
            limit=None,
            unit="",
            message=(
                f"{endpoint} in {place(self.site, space)}: all {devices} devices silent, "
                f"stale since {_moment(since)}"
            ),
            action="Check the gateway or broker: its power, its network path, and whether its port answers.",
            raised=now,
            runbook=ENDPOINT_SILENT,
        )

    def _where(self, device: Device) -> str:
        return f"{device.id} in {place(self.site, device.space)}"

    def _alarm(self, rule: str, device: Device, now: int, *, message: str, action: str) -> Alarm:
        return Alarm(
            id=f"{rule}:{device.id}",
            rule=rule,
            category=Category.COMMUNICATION,
            priority=Priority.MEDIUM if device.id in self._paired else Priority.LOW,
            device=device.id,
            point="",
            space=device.space,
            value=None,
            limit=None,
            unit="",
            message=message,
            action=action,
            raised=now,
            runbook=rule,
        )


def paired_devices(site: Site) -> frozenset[str]:
    """Ids of devices that have a twin on the other feed: same kind, in the same space or serving the same."""
    found: dict[tuple[str, str], list[Device]] = {}
    for device in site.devices:
        if device.feed is not None:
            for about in (device.space, *device.serves):
                found.setdefault((device.kind, about), []).append(device)
    return frozenset(
        device.id
        for devices in found.values()
        if len({device.feed for device in devices}) > 1
        for device in devices
    )


def common_space(site: Site, spaces: list[str]) -> str:
    """Id of the smallest space that all of these are in."""
    unique = list(dict.fromkeys(spaces))
    paths = [[space.id for space in site.ancestors(each)] for each in unique]
    shared = set(paths[0]).intersection(*paths[1:])
    return next(space for space in paths[0] if space in shared)


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time // NANOSECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
