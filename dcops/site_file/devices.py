"""Whether each device has a place, a profile and an address that fit together."""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from collectors.mqtt_topics import topic_of
from collectors.profiles import MqttProfile, Profile
from dcops.site_file.checked import Checked, DeviceChanges
from dcops.site_file.endpoints import MODBUS, protocol_of, spoken_by
from dcops.site_file.entries import Entry
from dcops.site_file.fields import identifiers
from dcops.site_file.items import DeviceItem, Item, MqttItem
from dcops.site_file.modbus_items import ModbusRtuItem, ModbusRtuTcpItem
from dcops.site_file.problems import Place, near
from dcops.site_file.profiles import ProfileLibrary
from dcops.site_file.registry import Registry
from dcops.site_file.shapes import label
from facility.devices import DeviceKind
from facility.spaces import LEVELS, Level

NO_LINE_UNITS = frozenset({0, 255})
"""Unit ids of a device that is its own server; on a serial line 0 speaks to all, and 255 is reserved."""
_WORD = re.compile(r"\{([A-Za-z0-9_]+)\}")

Message = tuple[str, str]
"""The key it is about, and the words."""

Unknown = tuple[str, str, str]
"""The key, the words (empty if another mistake explains it), and the name that is nowhere."""


def check_devices(
    registry: Registry,
    library: ProfileLibrary,
    before: Checked | None = None,
    changes: DeviceChanges | None = None,
) -> dict[str, str]:
    """Note everything that keeps devices from being placed and read; those are among the wrong ones then.

    Args:
        registry: what is known of the site.
        library: its profiles.
        before: the site as it was, without a mistake, before; a device that is the very same, among the very
            same things, is looked at only for what others may have taken from it.
        changes: what has changed since then, if that is of devices alone; then only those are looked at that
            have to do with it.

    Returns:
        The topic of each MQTT device.
    """
    if not registry.devices.written and registry.devices.complete:
        registry.findings.add(registry.site, "the site has no devices, so there is nothing to read; add some")
    checker = _Checker(registry, library)
    if changes is not None:
        return _check_changes(checker, changes)
    known = _Known(checker, before) if before is not None else None
    for item, entry in registry.devices.good():
        if known is not None and known.fits(item, entry):
            continue
        if not checker.accepts(item, entry):
            registry.devices.wrong.setdefault(item.id, frozenset())
    for entry in registry.devices.broken():
        if not entry.broken:
            checker.check_broken(entry)
    return checker.topics


def _check_changes(checker: "_Checker", changes: DeviceChanges) -> dict[str, str]:
    """Check what is not the very same, all that shares its endpoints, and what served something gone."""
    devices, before = checker.registry.devices, changes.before
    anew = set(changes.devices)
    anew.update(_serving(changes.gone, before))
    near_by = changes.endpoints(checker.registry) | {
        devices.items[each].endpoint for each in anew if each in devices.items
    }
    topics = dict(before.topics)
    for each in changes.gone:
        topics.pop(each, None)
    for item in [each for each in devices.items.values() if each.endpoint in near_by]:
        topics.pop(item.id, None)
        if not checker.accepts(item, devices.entries[item.id]):
            devices.wrong.setdefault(item.id, frozenset())
    return topics | checker.topics


def _serving(gone: AbstractSet[str], before: Checked) -> Iterator[str]:
    """Ids of the devices that served something gone."""
    if not gone:
        return
    site = before.site
    places = np.array([site.device_index[each] for each in gone], dtype=np.int64)
    for at in site.serving.suppliers[np.isin(site.serving.targets, places)].tolist():
        yield site.devices[at].id


@dataclass(frozen=True, slots=True)
class _References:
    """What a device refers to, as far as it can be read."""

    space: str | None
    profile: str | None
    endpoint: str | None
    serves: tuple[str, ...]


class _Checker:
    def __init__(self, registry: Registry, library: ProfileLibrary) -> None:
        self.topics: dict[str, str] = {}
        self.registry = registry
        self.library = library
        self.units: dict[tuple[str, int], tuple[str, Entry]] = {}
        """By endpoint and unit, the device that has it."""
        self._topics: dict[tuple[str, str, str], tuple[str, Place]] = {}

    def accepts(self, item: DeviceItem, entry: Entry) -> bool:
        """Whether nothing is wrong with a device; notes what is."""
        references = _References(item.space, item.profile, item.endpoint, item.serves)
        unknown = list(self._unknown(references))
        self._tell(item.id, entry, unknown)
        messages = [
            *self._place(item),
            *self._profile(item),
            *self._address(item, entry),
            *((("serves", "serves itself; remove it from the list"),) if item.id in item.serves else ()),
        ]
        told = [message for message in messages if not self.registry.devices.settled(item.id, message[0])]
        for key, message in told:
            self.registry.findings.add(entry.at(key), f"device {item.id}: {message}")
        return not messages and not unknown

    def _tell(self, item_id: str, entry: Entry, unknown: Iterable[Unknown]) -> None:
        for key, message, name in unknown:
            if message and not self.registry.devices.settled(item_id, key):
                words = f"{label('device', entry)}: {message}"
                self.registry.findings.add(entry.at(key), words, about=f"unknown {name}")

    def check_broken(self, entry: Entry) -> None:
        """Note unknown references and a taken unit of a device that cannot be checked otherwise."""
        wrong = self.registry.devices.wrong.get(entry.text("id") or "", frozenset())
        texts = {key: entry.text(key) for key in ("in", "profile", "endpoint") if key not in wrong}
        served = entry.values.get("serves", [])
        serves = () if "serves" in wrong else identifiers(served)
        references = _References(texts.get("in"), texts.get("profile"), texts.get("endpoint"), serves)
        device_id, unit = entry.text("id") or "", entry.text("unit")
        self._tell(device_id, entry, self._unknown(references))
        endpoint, endpoints = references.endpoint, self.registry.endpoints
        on_modbus = endpoint in endpoints.entries and not isinstance(endpoints.items.get(endpoint), MqttItem)
        if endpoint is not None and on_modbus and unit is not None and "unit" not in wrong:
            for key, message in self._taken(device_id, endpoint, int(unit), entry):
                self.registry.findings.add(entry.at(key), f"{label('device', entry)}: {message}")

    def _unknown(self, references: _References) -> Iterator[Unknown]:
        """What is referred to and not there."""
        registry = self.registry
        spaces, devices, endpoints = registry.spaces, registry.devices, registry.endpoints
        space, profile, endpoint = references.space, references.profile, references.endpoint
        if space is not None and space not in spaces:
            if space in devices:
                yield "in", f"in: {space!r} is a device; write the id of a space", space
            elif spaces.complete:
                yield "in", registry.unknown("in", space, spaces.entries), space
        if profile is not None and profile not in self.library and self.library.complete:
            mend = registry.names.hint(profile, self.library.names()) or "name a shipped one or add its file"
            yield "profile", f"profile {profile!r} is unknown; {mend}", f"profile {profile}"
        if endpoint is not None and endpoint not in endpoints and endpoints.complete:
            message = registry.unknown("endpoint", endpoint, endpoints.entries)
            yield "endpoint", message, f"endpoint {endpoint}"
        for target in references.serves:
            if target not in spaces and target not in devices and spaces.complete and devices.complete:
                candidates = (*devices.entries, *spaces.entries)
                yield "serves", registry.unknown("serves", target, candidates), target

    def _place(self, item: DeviceItem) -> Iterator[Message]:
        space = self.registry.spaces.items.get(item.space)
        if item.kind is DeviceKind.RACK_PDU and space is not None and space.level is not Level.RACK:
            yield (
                "in",
                f"a rack PDU stands in a rack, but {space.id!r} is a {space.level}; write the rack's id",
            )

    def _profile(self, item: DeviceItem) -> Iterator[Message]:
        profile = self.library.profiles.get(item.profile)
        if profile is not None and profile.kind is not item.kind:
            fitting = near(item.kind, self.library.of_kind(item.kind)) or "choose one of that kind"
            yield (
                "profile",
                f"profile {item.profile!r} is for a {profile.kind}, not for a {item.kind}; {fitting}",
            )

    def _address(self, item: DeviceItem, entry: Entry) -> Iterator[Message]:
        profile = self.library.profiles.get(item.profile)
        endpoint = self.registry.endpoints.items.get(item.endpoint)
        spoken = protocol_of(profile) if profile is not None else ""
        offered = spoken_by(endpoint) if endpoint is not None else ""
        if endpoint is not None and spoken and offered and spoken != offered:
            yield (
                "endpoint",
                (
                    f"profile {item.profile!r} needs {spoken}, endpoint {item.endpoint!r} speaks"
                    f" {endpoint.protocol}; change one of them"
                ),
            )
        elif (spoken or offered) == MODBUS:
            yield from self._modbus(item, entry)
        elif spoken or offered:
            yield from self._mqtt(item, entry, profile)

    def _modbus(self, item: DeviceItem, entry: Entry) -> Iterator[Message]:
        if item.topic is not None:
            yield "topic", "a device on Modbus has no topic; remove it"
        if item.reports_by_exception:
            yield "reports_by_exception", "a device on Modbus is asked and does not report; remove it"
        if item.unit is None:
            yield "unit", "unit is missing; write its Modbus unit id (255 without gateway)"
            return
        endpoint = self.registry.endpoints.items.get(item.endpoint)
        if isinstance(endpoint, ModbusRtuItem | ModbusRtuTcpItem) and item.unit in NO_LINE_UNITS:
            yield "unit", f"unit: {item.unit} is no address on a serial line; write 1 to 247"
        yield from self._taken(item.id, item.endpoint, item.unit, entry)

    def _taken(self, device_id: str, endpoint: str, unit: int, entry: Entry) -> Iterator[Message]:
        first = self.units.setdefault((endpoint, unit), (device_id, entry))
        if first[0] != device_id:
            place = first[1].at("unit").near(entry.at("unit"))
            yield "unit", f"unit {unit} of endpoint {endpoint!r} is {first[0]} already ({place}); mend one"

    def _mqtt(self, item: DeviceItem, entry: Entry, profile: Profile | None) -> Iterator[Message]:
        if item.unit is not None:
            yield "unit", "a device on MQTT has no unit; remove it"
        for key in ("timeout", "pause"):
            if getattr(item, key) is not None:
                yield key, f"a device on MQTT is not asked and has no {key}; remove it"
        template = item.topic or (profile.topic if isinstance(profile, MqttProfile) else "")
        if not template:
            return
        words = self._words(item)
        lacking = [word for word in _WORD.findall(template) if word not in words]
        if lacking:
            if item.space in self.registry.spaces.items:
                known = ", ".join(f"{{{word}}}" for word in words)
                yield (
                    "topic",
                    f"nothing fills {{{lacking[0]}}} in topic {template!r}; write topic with {known}",
                )
            return
        topic = _WORD.sub(lambda match: words[match[1]], template)
        if isinstance(profile, MqttProfile) and profile.liveness is not None:
            try:
                topic_of(topic, profile.liveness.topic)
            except ValueError as error:
                yield "topic", f"the liveness topic of profile {item.profile!r}: {error}; mend one of them"
                return
        self.topics[item.id] = topic
        place = entry.at("topic")
        first = self._topics.setdefault((item.endpoint, topic, item.profile), (item.id, place))
        if first[0] != item.id:
            yield "topic", f"topic {topic!r} is that of {first[0]} ({first[1].near(place)}); mend one"

    def _words(self, item: DeviceItem) -> dict[str, str]:
        """What a topic template may name: the device, its space, and the space of each level above."""
        words = {"device": item.id, "space": item.space}
        spaces = self.registry.spaces.items
        space = spaces.get(item.space)
        for _ in LEVELS:
            if space is None:
                break
            words[str(space.level)] = space.id
            space = spaces.get(space.parent or "")
        return words


class _Known:
    """Finds devices of which nothing can be wrong: nothing was, and all they have to do with is the same.

    What a device is to be unique in is taken by it nevertheless.
    """

    def __init__(self, checker: _Checker, before: Checked) -> None:
        now, was = checker.registry, before.registry
        self._items = was.devices.items
        self._units = checker.units
        self._spaces = frozenset(_same(now.spaces.items, was.spaces.items))
        self._endpoints = frozenset(_same(now.endpoints.items, was.endpoints.items))
        named = {item.profile for item in self._items.values()}
        profiles, others = checker.library.profiles, before.library.profiles
        self._profiles = frozenset(name for name in named if profiles.get(name) is others[name])
        gone = (was.spaces.entries.keys() | was.devices.entries.keys()) - now.spaces.entries.keys()
        self._gone = gone - now.devices.entries.keys()
        """What may be served no more."""

    def fits(self, item: DeviceItem, entry: Entry) -> bool:
        """Whether it is one. Those over MQTT are none, for their topics are to be made."""
        unit = item.unit
        if (
            unit is None
            or self._items.get(item.id) is not item
            or item.space not in self._spaces
            or item.endpoint not in self._endpoints
            or item.profile not in self._profiles
            or not self._gone.isdisjoint(item.serves)
        ):
            return False
        return self._units.setdefault((item.endpoint, unit), (item.id, entry))[0] == item.id


def _same(now: Mapping[str, Item], before: Mapping[str, Item]) -> Iterator[str]:
    """Ids of the items that are the very ones they were."""
    return (item_id for item_id, item in now.items() if before.get(item_id) is item)
