"""From values to payloads.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

from datetime import UTC, datetime
from math import isnan

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.profiles import Liveness, MqttProfile, Path, TimeFormat
from facility.sample import NANOSECONDS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class PayloadEncoder:
    """Writes the payloads of one topic of a profile, each of them whole; shared by all its devices."""

    def __init__(self, profile: MqttProfile, topic: str = "") -> None:
        """``topic`` is one of ``profile.topics``."""
        self._fields = [field for field in profile.fields if field.topic == topic]
        self._is_bare = any(not field.path for field in self._fields)
        self._time_path, self._time_format = profile.time_path, profile.time_format
        self._quality = profile.quality

    def encode(self, values: NDArray[np.float64], time: int) -> Json:
        """The payload as JSON data for values in base units and a time in ns. NaN becomes null."""
        root: Json = None
        for field, value in zip(self._fields, values.tolist(), strict=True):
            number = (value - field.offset) / field.scale
            root = _placed(root, field.path, None if isnan(number) else number)
        if self._is_bare:
            return root
        if self._time_format is not TimeFormat.NONE:
            root = _placed(root, self._time_path, _written(time, self._time_format))
        if self._quality is not None:
            root = _placed(root, self._quality.path, _as_json(min(self._quality.good, default="good")))
        return root


def liveness_payload(liveness: Liveness, *, online: bool) -> bytes:
    """What a device, or the broker for it, says on its liveness topic."""
    word = liveness.online if online else liveness.offline
    return orjson.dumps(_placed(None, liveness.path, _as_json(word))) if liveness.path else word.encode()


def _as_json(word: str) -> Json:
    """A word of a profile as a device would write it: numbers and true and false are no texts."""
    try:
        found: Json = orjson.loads(word)
    except orjson.JSONDecodeError:
        return word
    return found


def _placed(root: Json, path: Path, value: Json) -> Json:
    """The JSON data with a value put at a path; what leads there is made."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        items: list[Json] = root if isinstance(root, list) else []
        items += [None] * (key + 1 - len(items))
        items[key] = _placed(items[key], rest, value)
        return items
    keys: dict[str, Json] = root if isinstance(root, dict) else {}
    keys[key] = _placed(keys.get(key), rest, value)
    return keys


def _written(time: int, form: TimeFormat) -> Json:
    if form is TimeFormat.EPOCH_SECONDS:
        return time / NANOSECONDS
    if form is TimeFormat.EPOCH_MILLISECONDS:
        return time // 1_000_000
    moment = datetime.fromtimestamp(time // NANOSECONDS, UTC).replace(microsecond=time % NANOSECONDS // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
