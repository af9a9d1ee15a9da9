"""From values to JSON payloads.

Written from the meaning of the profiles, not from the decoder, so that each can catch the other's errors.
"""

from datetime import UTC, datetime
from math import isnan

import numpy as np
from numpy.typing import NDArray

from collectors.profiles import MqttProfile, TimeFormat
from facility.sample import NANOSECONDS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class PayloadEncoder:
    """Writes the JSON payloads of one profile; shared by all its devices."""

    def __init__(self, profile: MqttProfile) -> None:
        self._profile = profile

    def encode(self, values: NDArray[np.float64], time: int) -> Json:
        """The payload as JSON data for values in base units and a time in ns. NaN becomes null."""
        root: Json = None
        for field, value in zip(self._profile.fields, values.tolist(), strict=True):
            number = (value - field.offset) / field.scale
            root = _placed(root, field.path, None if isnan(number) else number)
        if self._profile.time_format is not TimeFormat.NONE:
            root = _placed(root, self._profile.time_path, _written(time, self._profile.time_format))
        return root


def _placed(root: Json, path: tuple[str | int, ...], value: Json) -> Json:
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
