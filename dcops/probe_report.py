"""What a probe has shown, for people and for programs."""

import math
from collections.abc import Iterator

from collectors.commissioning.orders import Reading
from collectors.commissioning.probing import PointShown, Probe
from dcops.tables import table
from facility.quality import text as quality_text

_SHOWN_READINGS = 8
_SMALLEST_PLAIN, _LARGEST_PLAIN = 0.001, 1e15
"""Between them numbers are written without an exponent."""


def report(probe: Probe) -> Iterator[str]:
    """What stands out first, then the points, then every doubtful one in every way it could be meant."""
    yield from _said(probe)
    yield from _hints(probe)
    if probe.points:
        head = ("point", "address", "raw", "value", "unit", "quality", "remark")
        yield from table(head, [_row(each) for each in probe.points], right=frozenset({3}))
    for each in probe.points:
        if each.readings:
            yield ""
            yield from _readings(each)


def _said(probe: Probe) -> Iterator[str]:
    if probe.identification:
        yield "identification: " + ", ".join(f"{key} {value}" for key, value in probe.identification.items())
    for line in probe.identity:
        yield f"identity: {line}"
    for name, text in probe.texts.items():
        yield f"{name}: {text}"


def _hints(probe: Probe) -> Iterator[str]:
    for hint in probe.hints:
        yield f"hint: {hint}"
    if len(probe.hints) > 1:
        yield "hint: these explain the same values; give one that you know: --point NAME --expect VALUE"
    for check in probe.checks:
        if not check.passed:
            yield f"hint: it should be that {check.text}, but it is not"


def as_json(probe: Probe) -> dict[str, object]:
    """The same for programs; a value that is none is null."""
    return {
        "identification": dict(probe.identification),
        "identity": list(probe.identity),
        "texts": dict(probe.texts),
        "error": probe.error,
        "hints": [
            {"key": str(each.change.key), "value": str(each.change.new), "text": str(each)}
            for each in probe.hints
        ],
        "checks": [{"text": each.text, "passed": each.passed} for each in probe.checks],
        "points": [_point_json(each) for each in probe.points],
    }


def _row(shown: PointShown) -> tuple[str, ...]:
    states = dict(shown.point.states)
    value = _number(shown.value)
    if not math.isnan(shown.value) and int(shown.value) in states:
        value = f"{value} {states[int(shown.value)]}"
    return (
        shown.point.name,
        _address(shown),
        " ".join(f"{word:04X}" for word in shown.words or ()),
        value,
        shown.point.type.unit,
        quality_text(shown.quality),
        shown.remark,
    )


def _address(shown: PointShown) -> str:
    return f"{shown.register.table} {shown.register.address}" if shown.register is not None else "sum"


def _readings(shown: PointShown) -> Iterator[str]:
    yield f"{shown.point.name}, {_address(shown)}, could be:"
    head = ("", "value", "unit", "read as")
    rows = [_reading(each, shown.point.type.unit) for each in shown.readings[:_SHOWN_READINGS]]
    yield from table(head, rows, right=frozenset({1}))


def _reading(reading: Reading, unit: str) -> tuple[str, ...]:
    mark = "→" if reading.plausible and reading.near else ""
    return (mark, _number(reading.value), unit, str(reading))


def _point_json(shown: PointShown) -> dict[str, object]:
    return {
        "point": shown.point.name,
        "table": str(shown.register.table) if shown.register is not None else None,
        "address": shown.register.address if shown.register is not None else None,
        "words": [f"{word:04X}" for word in shown.words] if shown.words is not None else None,
        "value": None if math.isnan(shown.value) else shown.value,
        "unit": shown.point.type.unit,
        "quality": shown.quality,
        "quality_text": quality_text(shown.quality),
        "verdict": str(shown.verdict),
        "remark": shown.remark,
        "readings": [
            {
                "order": str(each.order),
                "data": str(each.data),
                "shift": each.shift,
                "factor": each.factor,
                "value": each.value,
                "plausible": each.plausible,
                "near": each.near,
            }
            for each in shown.readings
        ],
    }


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    if value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:.4g}"
