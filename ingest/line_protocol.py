"""Batches as InfluxDB line protocol, by templates prepared for each group of a catalogue.

A line is what one group had at one time: ``MEASUREMENT,TAGS f1=…,f2=… NANOSECONDS``. A field that has no
value is left out and its quality written beside it (``f1_q=24i``); a line with no field at all is left out.
Numbers are written with every digit needed to read the same number back.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from facility.catalogue import Catalogue, Field, Group
from facility.naming import quality_field
from facility.quality import FIRST_GOOD
from ingest.batch import Batch

_KEY_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\r": r"\r"})
_MEASUREMENT_ESCAPES = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines and how many readings they stand for."""

    body: bytes
    points: int


@dataclass(frozen=True, slots=True)
class _Template:
    """What of a group's line is known beforehand."""

    head: str
    """Measurement and tags, and the blank after them."""
    fields: tuple[str, ...]
    whole: str
    """Field set with every value to be filled in."""
    qualities: tuple[str, ...]


class LineEncoder:
    """Encodes batches of one catalogue. A group's template is made when it is first seen."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._groups = catalogue.groups
        self._firsts = [group.first for group in catalogue.groups]
        self._templates: list[_Template | None] = [None] * len(catalogue.groups)
        self._field_sets: dict[tuple[Field, ...], tuple[tuple[str, ...], str, tuple[str, ...]]] = {}

    def encode(self, batch: Batch) -> Iterator[Lines]:
        """One piece a group and time; nothing for those without any field.

        What follows each other of one group and time, with others left out between, is one piece.
        """
        values, quality = batch.values.tolist(), batch.quality.tolist()
        at = 0
        runs = zip(batch.first.tolist(), batch.count.tolist(), batch.time.tolist(), strict=True)
        fields, points, former = "", 0, (-1, 0, 0)
        for first, count, time in runs:
            for number, offset, size in self._parts(first, count):
                more = self._fields(number, offset, values[at : at + size], quality[at : at + size])
                at += size
                number_before, time_before, stop = former
                if number == number_before and time == time_before and offset >= stop:
                    fields = f"{fields},{more}" if fields and more else fields or more
                    points += size if more else 0
                else:
                    if fields:
                        yield self._line(number_before, fields, time_before, points)
                    fields, points = more, size if more else 0
                former = (number, time, offset + size)
        if fields:
            yield self._line(former[0], fields, former[1], points)

    def _parts(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(group number, offset in it, points) of each group that these points reach into."""
        number = bisect_right(self._firsts, first) - 1
        stop = first + count
        while first < stop:
            group = self._groups[number]
            offset = first - group.first
            size = min(stop - first, len(group.fields) - offset)
            yield number, offset, size
            first, number = first + size, number + 1

    def _line(self, number: int, fields: str, time: int, points: int) -> Lines:
        template = self._templates[number] or self._prepare(number)
        return Lines(f"{template.head}{fields} {time}\n".encode(), points)

    def _fields(self, number: int, offset: int, values: list[float], quality: list[int]) -> str:
        template = self._templates[number] or self._prepare(number)
        if len(values) == len(template.fields) and min(quality) >= FIRST_GOOD and all(map(isfinite, values)):
            return template.whole % tuple(values)
        parts = []
        for at, (value, code) in enumerate(zip(values, quality, strict=True), offset):
            if isfinite(value):
                parts.append(f"{template.fields[at]}={value!r}")
            if code < FIRST_GOOD:
                parts.append(f"{template.qualities[at]}={code}i")
        return ",".join(parts)

    def _prepare(self, number: int) -> _Template:
        group = self._groups[number]
        if group.fields not in self._field_sets:
            names = tuple(each.name.translate(_KEY_ESCAPES) for each in group.fields)
            whole = ",".join(f"{name.replace('%', '%%')}=%r" for name in names)
            qualities = tuple(quality_field(each.name).translate(_KEY_ESCAPES) for each in group.fields)
            self._field_sets[group.fields] = (names, whole, qualities)
        names, whole, qualities = self._field_sets[group.fields]
        made = _Template(_head(group), names, whole, qualities)
        self._templates[number] = made
        return made


def _head(group: Group) -> str:
    tags = "".join(
        f",{key.translate(_KEY_ESCAPES)}={value.translate(_KEY_ESCAPES)}" for key, value in group.tags
    )
    return f"{group.measurement.translate(_MEASUREMENT_ESCAPES)}{tags} "
