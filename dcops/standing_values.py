"""What devices that report by exception said last, as bytes: so that a restart forgets none of it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from zlib import crc32

import orjson

from collectors.config import CollectionPlan
from collectors.profiles import MqttProfile
from dcops.memory import MemoryUnreadableError
from ingest.standing import StandingValue, StandingValues

FORMAT = 2
_WITHOUT_ORIGINS = 1
"""An earlier format, which did not tell them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What outlives a restart."""

    values: StandingValues
    origins: Mapping[str, str] | None
    """By device, what said so; None if that was not remembered. See ``origins_of``."""
    whole: bool
    """Nothing was heard after it."""

    def still_from(self, origins: Mapping[str, str]) -> StandingValues:
        """The values that are of the same origin now: of no other broker, topic or map."""
        if self.origins is None:
            return self.values
        known = self.origins
        return {
            device: points
            for device, points in self.values.items()
            if device in known and known[device] == origins.get(device)
        }


def origins_of(plan: CollectionPlan, devices: AbstractSet[str]) -> dict[str, str]:
    """What the values of these devices come from: address of the broker, topic, how messages are read."""
    addresses = {each.id: f"{each.host}:{each.port}" for each in plan.brokers}
    maps: dict[int, str] = {}
    found = {}
    for binding in plan.mqtt:
        if binding.device in devices:
            key = id(binding.profile)
            if key not in maps:
                maps[key] = _map_of(binding.profile)
            found[binding.device] = f"{addresses[binding.broker]} {binding.topic} {maps[key]}"
    return found


def _map_of(profile: MqttProfile) -> str:
    """Differs where a message of the same words would mean something else."""
    read = [
        (point.name, field.topic, *field.path, field.scale, field.offset)
        for point, field in zip(profile.points, profile.fields, strict=True)
    ]
    return f"{crc32(orjson.dumps(read)):08x}"


def encode(remembered: Remembered) -> bytes:
    """The bytes that ``decode`` reads, as JSON."""
    devices = {
        device: {name: list(told) for name, told in points.items()}
        for device, points in remembered.values.items()
    }
    content = {"format": FORMAT, "whole": remembered.whole, "devices": devices, "origins": remembered.origins}
    return orjson.dumps(content)


def decode(body: bytes) -> Remembered:
    """What ``encode`` was given.

    Raises:
        MemoryUnreadableError: the bytes are none such.
    """
    try:
        content = orjson.loads(body)
        if content["format"] not in {FORMAT, _WITHOUT_ORIGINS}:
            raise MemoryUnreadableError(f"standing values are of format {content['format']}, not {FORMAT}")
        devices = {
            str(device): {
                str(name): StandingValue(int(time), float(value), int(quality))
                for name, (time, value, quality) in points.items()
            }
            for device, points in content["devices"].items()
        }
        told = content.get("origins")
        origins = None if told is None else {str(device): str(origin) for device, origin in told.items()}
        return Remembered(values=devices, origins=origins, whole=content["whole"] is True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MemoryUnreadableError(f"standing values cannot be read: {error!r}") from error
