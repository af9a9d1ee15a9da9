"""Messages to values: paths, units, source time, quality. What is not a number is never taken for one."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.errors import PayloadError
from collectors.profiles import (
    Liveness,
    MqttProfile,
    Path,
    PayloadField,
    PayloadQuality,
    TimeFormat,
)
from collectors.scaling import Scaling
from facility.devices import PointSpec
from facility.point_types import Behaviour
from facility.quality import FIRST_GOOD, Quality, QualityArray
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
_SWITCH = {"on": 1, "true": 1, "off": 0, "false": 0}
"""Words of states that have none of their own."""
_DATE_LENGTH = len("2026-01-01")
_HARDLY = 1e-6
"""How far from a whole number a state may be, for its scale may not be exact."""
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
    absent: tuple[int, ...] = ()
    """Places of points the message says nothing of, and that are as they were."""

    def slices(self) -> Iterator[slice]:
        """The stretches of points it does say something of."""
        first = 0
        for at in self.absent:
            if first < at:
                yield slice(first, at)
            first = at + 1
        if first < len(self.values):
            yield slice(first, len(self.values))


class PayloadDecoder:
    """Takes the points of one topic of a profile out of messages. Immutable, shared by all its devices."""

    def __init__(self, profile: MqttProfile, topic: str = "") -> None:
        """``topic`` is one of ``profile.topics``."""
        places = [at for at, field in enumerate(profile.fields) if field.topic == topic]
        fields, points = [profile.fields[at] for at in places], [profile.points[at] for at in places]
        self.topic = topic
        self.first = places[0]
        """Place of its first point among those of the profile; the others follow."""
        self.has_times = profile.time_format is not TimeFormat.NONE
        """Whether messages are to have a time of their own."""
        self._paths = [field.path for field in fields]
        self._is_bare = not any(self._paths)
        self._words = [_raw_words(point, field) for point, field in zip(points, fields, strict=True)]
        self._measured = [point.type.unit != "1" for point in points]
        self._states = [
            (field.scale, field.offset) if point.type.behaviour is Behaviour.STATE else None
            for point, field in zip(points, fields, strict=True)
        ]
        self._invalid = [field.invalid for field in fields]
        self._partial = profile.partial
        self._time_path = profile.time_path
        self._time_format = profile.time_format
        self._told = profile.quality
        self._scaling = Scaling(points, [field.scale for field in fields], [field.offset for field in fields])

    def decode(self, payload: bytes, arrival: int) -> Reading:
        """The reading in a payload that arrived at a time (ns).

        An empty payload means that the device is gone: no value, NOT_CONNECTED. So has a path that is
        not there, unless messages are partial; null, NaN and what the profile calls invalid are
        SENSOR_FAILURE; a text or a structure in place of a number is BAD, unless it is a word for a state,
        and so are true and false in place of what has a unit, and 1.5 in place of a state.

        Raises:
            PayloadError: the payload is not JSON, and there is no text to be expected.
        """
        if not payload:
            count = len(self._paths)
            gone = np.full(count, Quality.NOT_CONNECTED, np.uint8)
            return Reading(np.full(count, np.nan), gone, None)
        document = _parse(payload, text=self._is_bare)
        values = np.empty(len(self._paths))
        faults: list[tuple[int, Quality]] = []
        for at, path in enumerate(self._paths):
            found = self._read(at, _find(document, path))
            if isinstance(found, Quality):
                faults.append((at, found))
                found = math.nan
            values[at] = found
        quality = self._scaling.apply(values)
        absent: tuple[int, ...] = ()
        for at, code in faults:
            quality[at] = code
        if self._partial and faults:
            absent = tuple(at for at, code in faults if code is Quality.NOT_CONNECTED)
        if self._told is not None:
            _mark(self._told, document, values, quality)
        return Reading(values, quality, self._time(document, arrival), absent)

    def _read(self, at: int, raw: object) -> float | Quality:
        """What lies in the place of one of the points: its number, or why there is none."""
        if isinstance(raw, bool) and self._measured[at]:
            return Quality.BAD
        found = _number(raw)
        if not isinstance(found, Quality):
            if found in self._invalid[at]:
                return Quality.SENSOR_FAILURE
            state = self._states[at]
            return found if state is None or _is_whole(found, *state) else Quality.BAD
        return self._words[at].get(raw.casefold(), found) if isinstance(raw, str) else found

    def _time(self, document: Json, arrival: int) -> int | None:
        if self._time_format is TimeFormat.NONE:
            return None
        time = _source_time(_find(document, self._time_path), self._time_format)
        if time is None or time > arrival + MOST_AHEAD or time < min(_EARLIEST, arrival):
            return None
        return time


class LivenessDecoder:
    """Reads what a device's liveness topic says. Immutable, shared by all devices of a profile."""

    def __init__(self, liveness: Liveness) -> None:
        self.topic = liveness.topic
        self._path = liveness.path
        self._online, self._offline = liveness.online.casefold(), liveness.offline.casefold()

    def is_online(self, payload: bytes) -> bool:
        """Whether the device is connected; an empty payload means that it is gone.

        Gateways that write JSON may be set to write the bare word: it is understood at any path.

        Raises:
            PayloadError: it is neither of the words.
        """
        if not payload:
            return False
        document = _parse(payload, text=True)
        told = _word(_find(document, self._path) if isinstance(document, dict | list) else document)
        if told not in {self._online, self._offline}:
            raise PayloadError(f"neither {self._online!r} nor {self._offline!r}: {_start(payload)!r}")
        return told == self._online


def _parse(payload: bytes, *, text: bool = False) -> Json:
    """The document; the slow parser is asked second, for it knows the NaN and Infinity some senders write.

    ``text``: what is no JSON may be a plain text.
    """
    try:
        document: Json = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            if text:
                return _plain_text(payload)
            raise PayloadError(f"not JSON: {_start(payload)!r}") from None
    return document


def _plain_text(payload: bytes) -> str:
    try:
        found = payload.decode().strip()
    except UnicodeDecodeError:
        found = ""
    if not found.isprintable() or not found:
        raise PayloadError(f"neither JSON nor text: {_start(payload)!r}")
    return found


def _start(payload: bytes) -> str:
    return payload[:40].decode("utf-8", "replace")


def _find(document: Json, path: Path) -> object:
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


def _is_whole(raw: float, scale: float, offset: float) -> bool:
    """Whether a number of a state may be one; what is no number is told elsewhere."""
    number = raw * scale + offset
    return not math.isfinite(number) or abs(number - round(number)) < _HARDLY


def _raw_words(point: PointSpec, field: PayloadField) -> dict[str, float]:
    """The words a state may be written in, each with the number that stands for it before scaling."""
    if point.type.behaviour is not Behaviour.STATE:
        return {}
    words = {word.casefold(): number for number, word in point.states} or _SWITCH
    return {word: (number - field.offset) / field.scale for word, number in words.items()}


def _word(found: object) -> str:
    """A word to compare with those of a profile: numbers and true and false are written out."""
    if isinstance(found, int):  # True and False are
        return str(found).casefold()
    if isinstance(found, float):
        return f"{found:g}"
    return found.casefold() if isinstance(found, str) else ""


def _mark(told: PayloadQuality, document: Json, values: NDArray[np.float64], quality: QualityArray) -> None:
    """Lower good qualities to what a message says of itself; one that says nothing is believed."""
    found = _find(document, told.path)
    if found is _MISSING:
        return
    word = _word(found)
    if word in told.good:
        return
    if word in told.uncertain:
        quality[quality >= FIRST_GOOD] = Quality.UNCERTAIN
        return
    values[quality >= FIRST_GOOD] = np.nan
    quality[quality >= FIRST_GOOD] = Quality.BAD


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
    """ISO 8601; without a zone it is taken as UTC. A date alone is no time: its midnight was long ago."""
    if len(text) <= _DATE_LENGTH:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _MICROSECOND * 1000
