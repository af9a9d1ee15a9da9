"""JSON messages to values: paths, units, source time. What is not a number is never taken for one."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.errors import PayloadError
from collectors.profiles import MqttProfile, TimeFormat
from collectors.scaling import Scaling
from facility.quality import Quality, QualityArray
from facility.sample import NANOSECONDS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

MOST_AHEAD = 60 * NANOSECONDS
"""A source time further ahead of the arrival than this is not believed."""
_EARLIEST = 946_684_800 * NANOSECONDS
"""1 January 2000: a source time before it comes from a clock that was never set."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MISSING = object()
_NANOSECONDS_IN = {TimeFormat.EPOCH_SECONDS: NANOSECONDS, TimeFormat.EPOCH_MILLISECONDS: NANOSECONDS // 1000}
_LAST_YEARS = 1e15
"""No number of seconds or milliseconds of this size is a time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message says of a device."""

    values: NDArray[np.float64]
    """Shape (n,), in base units; NaN where there is none."""
    quality: QualityArray
    time: int | None
    """Source time, ns since the epoch; None if the message has none that can be believed."""


class PayloadDecoder:
    """Takes the points of one profile out of messages. Immutable, shared by all its devices."""

    def __init__(self, profile: MqttProfile) -> None:
        self._paths = [field.path for field in profile.fields]
        self._time_path = profile.time_path
        self._time_format = profile.time_format
        self._scaling = Scaling(
            profile.points,
            [field.scale for field in profile.fields],
            [field.offset for field in profile.fields],
        )

    def decode(self, payload: bytes, arrival: int) -> Reading:
        """The reading in a payload that arrived at a time (ns).

        An empty payload means that the device is gone: no value, NOT_CONNECTED. So has a path that is
        not there; null and NaN are SENSOR_FAILURE; a text or a structure in place of a number is BAD.

        Raises:
            PayloadError: the payload is not JSON.
        """
        if not payload:
            count = len(self._paths)
            gone = np.full(count, Quality.NOT_CONNECTED, np.uint8)
            return Reading(np.full(count, np.nan), gone, None)
        document = _parse(payload)
        values = np.empty(len(self._paths))
        faults: list[tuple[int, Quality]] = []
        for at, path in enumerate(self._paths):
            found = _number(_find(document, path))
            if isinstance(found, Quality):
                faults.append((at, found))
                found = math.nan
            values[at] = found
        quality = self._scaling.apply(values)
        for at, code in faults:
            quality[at] = code
        return Reading(values, quality, self._time(document, arrival))

    def _time(self, document: Json, arrival: int) -> int | None:
        if self._time_format is TimeFormat.NONE:
            return None
        time = _source_time(_find(document, self._time_path), self._time_format)
        if time is None or time > arrival + MOST_AHEAD or time < min(_EARLIEST, arrival):
            return None
        return time


def _parse(payload: bytes) -> Json:
    """The document; the slow parser is asked second, for it knows the NaN and Infinity some senders write."""
    try:
        document: Json = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            start = payload[:40].decode("utf-8", "replace")
            raise PayloadError(f"not JSON: {start!r}") from None
    return document


def _find(document: Json, path: tuple[str | int, ...]) -> object:
    """What lies at a path; a lone value also counts as the list of itself."""
    here: object = document
    for step in path:
        if isinstance(here, dict):
            here = here.get(str(step), _MISSING)
        elif isinstance(step, int) and isinstance(here, list):
            here = here[step] if step < len(here) else _MISSING
        elif step != 0 or isinstance(here, list):
            return _MISSING
        if here is _MISSING:
            return _MISSING
    return here


def _number(found: object) -> float | Quality:
    """A number, or why there is none. True and False are 1 and 0."""
    if isinstance(found, float):
        return found
    if found is _MISSING:
        return Quality.NOT_CONNECTED
    if found is None or found == "":
        return Quality.SENSOR_FAILURE
    if isinstance(found, int) or (isinstance(found, str) and "_" not in found):
        try:
            return float(found)
        except (ValueError, OverflowError):
            return Quality.BAD
    return Quality.BAD


def _source_time(found: object, written: TimeFormat) -> int | None:
    if written is TimeFormat.ISO8601:
        return _iso_time(found) if isinstance(found, str) else None
    number = _number(found)
    if isinstance(number, Quality) or not abs(number) < _LAST_YEARS:
        return None
    whole = math.floor(number)
    unit = _NANOSECONDS_IN[written]
    return whole * unit + round((number - whole) * unit / 1000) * 1000


def _iso_time(text: str) -> int | None:
    """ISO 8601; without a zone it is taken as UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _MICROSECOND * 1000
