import pytest

from alerting.amounts import read_deadband, read_delay, read_limit
from alerting.rules import Amount, Reference


@pytest.mark.parametrize(
    ("written", "base", "expected"),
    [
        ("27 °C", "°C", Amount(27.0)),
        ("27°C", "°C", Amount(27.0)),
        (1, "1", Amount(1.0)),
        (0, "W", Amount(0.0)),
        ("-5 °C", "°C", Amount(-5.0)),
        ("80 kW", "W", Amount(80_000.0)),
        ("1.5e3 W", "W", Amount(1500.0)),
        ("90 L/min", "L/s", Amount(1.5)),
        ("80 %", "%", Amount(80.0)),
        ("1", "1", Amount(1.0)),
        ("80 % of rated_current", "A", Amount(0.8, Reference.RATED_CURRENT)),
        ("100% of rated_power", "W", Amount(1.0, Reference.RATED_POWER)),
    ],
)
def test_limits(written: object, base: str, expected: Amount) -> None:
    assert read_limit(written, base) == expected


def test_a_limit_in_fahrenheit_is_a_temperature_and_a_deadband_in_it_a_difference() -> None:
    assert read_limit("80.6 °F", "°C").value == pytest.approx(27.0)
    assert read_deadband("1.8 °F", "°C").value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("written", "base", "expected"),
    [
        ("1 K", "°C", Amount(1.0)),
        ("1 °C", "°C", Amount(1.0)),
        (0, "°C", Amount(0.0)),
        ("2 % of limit", "A", Amount(0.02, Reference.LIMIT)),
        ("1 % of span", "°C", Amount(0.01, Reference.SPAN)),
        ("2 % of rated_current", "A", Amount(0.02, Reference.RATED_CURRENT)),
        ("2 %", "%", Amount(2.0)),
    ],
)
def test_deadbands(written: object, base: str, expected: Amount) -> None:
    assert read_deadband(written, base) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("0s", 0), ("60s", 60 * 10**9), ("2 min", 120 * 10**9), ("250ms", 250 * 10**6)]
)
def test_delays(written: str, expected: int) -> None:
    assert read_delay(written) == expected


@pytest.mark.parametrize(
    ("written", "base", "message"),
    [
        ("27", "°C", r"27 has no unit; write for example '27 °C'"),
        (27, "°C", r"27 has no unit; write for example '27 °C'"),
        ("27 furlong", "°C", r"unknown unit 'furlong'; the point is in °C"),
        ("27 kw", "W", r"did you mean 'kW'"),
        ("27 kW", "°C", r"'kW' does not measure the point, which is in °C"),
        ("warm", "°C", r"'warm' does not begin with a number"),
        (True, "°C", r"'?True'? does not begin with a number"),
        (None, "°C", r"does not begin with a number"),
        ([27], "°C", r"does not begin with a number"),
        (float("nan"), "°C", r"'nan' does not begin with a number"),
        (
            "80 % of rated_power",
            "A",
            r"a value in A cannot be a share of 'rated_power'; it can be of rated_current",
        ),
        ("80 % of nothing", "°C", r"cannot be a share of 'nothing'; .* write an absolute value in °C"),
    ],
)
def test_a_limit_that_is_none_is_refused_with_the_mend(written: object, base: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_limit(written, base)


def test_a_negative_deadband_is_refused() -> None:
    with pytest.raises(ValueError, match="negative; a deadband is 0 or more"):
        read_deadband("-1 K", "°C")


@pytest.mark.parametrize("written", [60, "60", "-1s", "60 kW", True, None, "soon"])
def test_a_delay_that_is_none_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"unit|duration|negative|number|measure"):
        read_delay(written)
