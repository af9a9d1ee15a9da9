"""JSON payloads as the field sends them: bare, nested, partial, absent, wrong."""

import math

import pytest

from collectors.errors import PayloadError
from collectors.payloads import PayloadDecoder, Reading
from collectors.profiles import MqttProfile, PayloadField, TimeFormat
from facility.devices import DeviceKind, PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality

SECOND = 1_000_000_000
ARRIVAL = 1_767_225_600 * SECOND
"""1 January 2026, 00:00:00 UTC."""

Path = tuple[str | int, ...]


def decoder(
    *paths: Path, types: tuple[str, ...] = (), time: Path = (), written: TimeFormat = TimeFormat.NONE
) -> PayloadDecoder:
    keys = types or ("generic",) * len(paths)
    return PayloadDecoder(
        MqttProfile(
            name="test",
            kind=DeviceKind.RACK_PDU,
            points=tuple(PointSpec(f"p{at}", POINT_TYPES[key]) for at, key in enumerate(keys)),
            topic="t",
            fields=tuple(PayloadField(path=path) for path in paths),
            time_path=time,
            time_format=written,
        )
    )


def read_one(payload: str, path: Path = ("a",)) -> tuple[float, int]:
    reading = decoder(path).decode(payload.encode(), ARRIVAL)
    return float(reading.values[0]), int(reading.quality[0])


@pytest.mark.parametrize(
    ("payload", "path", "value"),
    [
        ("21.5", (), 21.5),
        ('"21.5"', (), 21.5),
        ('{"a": 3}', ("a",), 3.0),
        ('{"a": "-1e3"}', ("a",), -1000.0),
        ('{"a": true}', ("a",), 1.0),
        ('{"a": false}', ("a",), 0.0),
        ('{"a": 0}', ("a",), 0.0),
        ('{"a": {"b": [{"c": 1}, {"c": 2}]}}', ("a", "b", 1, "c"), 2.0),
        ('{"ENERGY": {"Current": [1.320, 2.100]}}', ("ENERGY", "Current", 0), 1.32),
        ('{"ENERGY": {"Current": 1.661}}', ("ENERGY", "Current", 0), 1.661),
        ('{"a": {"0": 7}}', ("a", 0), 7.0),
    ],
)
def test_a_number_is_found_wherever_the_path_leads(payload: str, path: Path, value: float) -> None:
    assert read_one(payload, path) == (value, 192)


@pytest.mark.parametrize("key", ["active_power", "active_energy", "air_inlet_temperature", "flow"])
@pytest.mark.parametrize("word", ["true", "false"])
def test_true_and_false_are_no_measurement(key: str, word: str) -> None:
    reading = decoder(("a",), types=(key,)).decode(f'{{"a": {word}}}'.encode(), ARRIVAL)
    assert math.isnan(reading.values[0])
    assert reading.quality.tolist() == [Quality.BAD]


@pytest.mark.parametrize("written", ["-127", "-127.0", '"-127"'])
def test_a_number_that_means_no_value_is_none(written: str) -> None:
    profile = MqttProfile(
        name="test",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        points=(PointSpec("a", POINT_TYPES["temperature"]), PointSpec("b", POINT_TYPES["temperature"])),
        topic="t",
        fields=(PayloadField(path=("a",), scale=0.1, invalid=frozenset({-127.0})), PayloadField(path=("b",))),
    )
    reading = PayloadDecoder(profile).decode(f'{{"a": {written}, "b": {written}}}'.encode(), ARRIVAL)
    assert math.isnan(reading.values[0])
    assert reading.values[1] == -127.0
    assert reading.quality.tolist() == [Quality.SENSOR_FAILURE, Quality.GOOD]


def test_what_is_not_there_is_missing_whatever_number_means_no_value() -> None:
    profile = MqttProfile(
        name="test",
        kind=DeviceKind.ENVIRONMENT_SENSOR,
        points=(PointSpec("a", POINT_TYPES["temperature"]), PointSpec("b", POINT_TYPES["temperature"])),
        topic="t",
        fields=tuple(PayloadField(path=(key,), invalid=frozenset({0.0, 8.0})) for key in "ab"),
    )
    quality = PayloadDecoder(profile).decode(b'{"b": "warm"}', ARRIVAL).quality
    assert quality.tolist() == [Quality.NOT_CONNECTED, Quality.BAD]


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ('{"a": 2}', (2.0, 192)),
        ('{"a": 2.0}', (2.0, 192)),
        ('{"a": "2"}', (2.0, 192)),
        ('{"a": 1.5}', (None, 0)),
        ('{"a": "1.5"}', (None, 0)),
        ('{"a": 0.001}', (None, 0)),
        ('{"a": NaN}', (None, 16)),
    ],
)
def test_a_state_is_a_whole_number(payload: str, found: tuple[float | None, int]) -> None:
    reading = decoder(("a",), types=("status",)).decode(payload.encode(), ARRIVAL)
    value = float(reading.values[0])
    assert (None if math.isnan(value) else value, int(reading.quality[0])) == found


def test_true_and_false_are_states() -> None:
    reading = decoder(("a",), ("b",), types=("running", "fault")).decode(b'{"a": true, "b": false}', ARRIVAL)
    assert reading.values.tolist() == [1.0, 0.0]
    assert reading.quality.tolist() == [Quality.GOOD, Quality.GOOD]


@pytest.mark.parametrize(
    ("payload", "quality"),
    [
        ('{"a": null}', 16),
        ('{"a": ""}', 16),
        ('{"a": NaN}', 16),
        ('{"a": Infinity}', 16),
        ('{"a": "nan"}', 16),
        ("{}", 8),
        ("[]", 8),
        ('{"b": 1}', 8),
        ('{"a": "open"}', 0),
        ('{"a": "1_0"}', 0),
        ('{"a": [1, 2]}', 0),
        ('{"a": {"value": 1}}', 0),
        ('{"a": 1' + 400 * "0" + "}", 0),
        ("", 8),
    ],
)
def test_what_is_no_number_is_never_zero(payload: str, quality: int) -> None:
    value, code = read_one(payload)
    assert math.isnan(value)
    assert code == quality


def test_a_list_that_is_too_short_has_no_such_value() -> None:
    value, quality = read_one("[1]", (1,))
    assert math.isnan(value)
    assert quality == 8


def test_an_impossible_value_is_a_sensor_failure() -> None:
    reading = decoder(("h",), ("t",), types=("relative_humidity", "air_inlet_temperature")).decode(
        b'{"h": 120, "t": 24.5}', ARRIVAL
    )
    assert math.isnan(reading.values[0])
    assert reading.values[1] == 24.5
    assert reading.quality.tolist() == [16, 192]


@pytest.mark.parametrize("payload", ["Offline", '{"a": 1', "\x00\x01\x02", '{"a": 1} x', 2000 * "["])
def test_what_is_no_json_is_an_error(payload: str) -> None:
    with pytest.raises(PayloadError, match="not JSON"):
        read_one(payload)


def timed(payload: str, written: TimeFormat) -> Reading:
    return decoder(("v",), time=("ts",), written=written).decode(payload.encode(), ARRIVAL)


@pytest.mark.parametrize(
    ("written", "text", "seconds_before"),
    [
        (TimeFormat.EPOCH_MILLISECONDS, "1767225598500", 1.5),
        (TimeFormat.EPOCH_SECONDS, "1767225590.25", 9.75),
        (TimeFormat.EPOCH_SECONDS, '"1767225590"', 10.0),
        (TimeFormat.ISO8601, '"2025-12-31T23:59:58Z"', 2.0),
        (TimeFormat.ISO8601, '"2026-01-01T00:59:57+01:00"', 3.0),
        (TimeFormat.ISO8601, '"2025-12-31T23:59:56.250"', 3.75),
        (TimeFormat.EPOCH_MILLISECONDS, "1767225659000", -59.0),
    ],
)
def test_a_source_time_is_taken(written: TimeFormat, text: str, seconds_before: float) -> None:
    reading = timed(f'{{"v": 1, "ts": {text}}}', written)
    assert reading.time == ARRIVAL - round(seconds_before * SECOND)


@pytest.mark.parametrize(
    ("written", "payload"),
    [
        (TimeFormat.EPOCH_MILLISECONDS, '{"v": 1, "ts": 1767225661000}'),
        (TimeFormat.EPOCH_MILLISECONDS, '{"v": 1}'),
        (TimeFormat.EPOCH_MILLISECONDS, '{"v": 1, "ts": null}'),
        (TimeFormat.EPOCH_SECONDS, '{"v": 1, "ts": 86400}'),
        (TimeFormat.EPOCH_SECONDS, '{"v": 1, "ts": 1e300}'),
        (TimeFormat.ISO8601, '{"v": 1, "ts": "yesterday"}'),
        (TimeFormat.ISO8601, '{"v": 1, "ts": 1767225598}'),
        (TimeFormat.NONE, '{"v": 1, "ts": 1767225598}'),
    ],
)
def test_a_time_that_cannot_be_believed_is_none_and_the_value_stays(
    written: TimeFormat, payload: str
) -> None:
    reading = timed(payload, written)
    assert reading.time is None
    assert reading.values.tolist() == [1.0]


@pytest.mark.parametrize("written", ["2026-01-01", "20260101", "2026-W01-4"])
def test_a_date_alone_is_no_time(written: str) -> None:
    reader = decoder(("a",), time=("ts",), written=TimeFormat.ISO8601)
    assert reader.decode(f'{{"a": 1, "ts": "{written}"}}'.encode(), ARRIVAL).time is None
