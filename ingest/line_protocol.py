"""Batches as InfluxDB line protocol, by templates prepared for each group of a catalogue.

A line is what one group had at one time: ``MEASUREMENT,TAGS f1=…,f2=… NANOSECONDS``. A field that has no
value is left out and its quality written beside it (``f1_q=24i``); a line with no field at all is left out.
Numbers are written with every digit needed to read the same number back. What is costly is done for a whole
batch at once: its values become texts in one call, and what is usable is found on arrays.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from facility.catalogue import Catalogue, Field, Group
from facility.naming import quality_field
from facility.quality import FIRST_GOOD
from ingest.batch import Batch

_NO, _NO_NUMBER = b"\0", b"null"
_KEY_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\r": r"\r"})
_MEASUREMENT_ESCAPES = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines and how many readings they stand for."""

    body: bytes
    points: int


@dataclass(frozen=True, slots=True)
class _FieldSet:
    """What lines of groups with the same fields have in common."""

    names: tuple[bytes, ...]
    whole: bytes
    """All fields, with every value to be filled in as text."""
    qualities: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Template:
    """What of a group's line is known beforehand."""

    head: bytes
    """Measurement and tags, and the blank after them."""
    field_set: _FieldSet


class _Texts:
    """The values of a batch as texts, and which of them have nothing beside them but a number."""

    def __init__(self, batch: Batch) -> None:
        values = np.ascontiguousarray(batch.values, np.float64)
        usable = batch.quality >= FIRST_GOOD
        usable &= np.isfinite(values)
        self._usable = usable.tobytes()
        self._quality = batch.quality.tobytes()
        written = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
        self._texts = written[1:-1].split(b",")

    def all_usable(self, start: int, stop: int) -> bool:
        """Whether each from ``start`` up to ``stop`` is good and a number."""
        return self._usable.find(_NO, start, stop) < 0

    def values(self, start: int, stop: int) -> Sequence[bytes]:
        """These values; ``null`` for those that are no number."""
        return self._texts[start:stop]

    def quality(self, start: int, stop: int) -> bytes:
        """Their codes."""
        return self._quality[start:stop]


class LineEncoder:
    """Encodes batches of one catalogue. A group's template is made when it is first seen."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._groups = catalogue.groups
        self._firsts = [group.first for group in catalogue.groups]
        self._templates: list[_Template | None] = [None] * len(catalogue.groups)
        self._field_sets: dict[tuple[Field, ...], _FieldSet] = {}

    def encode(self, batch: Batch) -> Iterator[Lines]:
        """One piece a group and time; nothing for those without any field.

        What follows each other of one group and time, with others left out between, is one piece.
        """
        texts = _Texts(batch)
        at = 0
        runs = zip(batch.first.tolist(), batch.count.tolist(), batch.time.tolist(), strict=True)
        fields, points, former = b"", 0, (-1, 0, 0)
        for first, count, time in runs:
            for number, offset, size in self._parts(first, count):
                more = self._fields(number, offset, texts, at, at + size)
                at += size
                number_before, time_before, stop = former
                if number == number_before and time == time_before and offset >= stop:
                    fields = b"%b,%b" % (fields, more) if fields and more else fields or more
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

    def _line(self, number: int, fields: bytes, time: int, points: int) -> Lines:
        template = self._templates[number] or self._prepare(number)
        return Lines(b"%b%b %d\n" % (template.head, fields, time), points)

    def _fields(self, number: int, offset: int, texts: _Texts, start: int, stop: int) -> bytes:
        """Fields of a group from ``offset`` on, with what is in ``texts`` from ``start`` up to ``stop``."""
        of = (self._templates[number] or self._prepare(number)).field_set
        values = texts.values(start, stop)
        if len(values) == len(of.names) and texts.all_usable(start, stop):
            return of.whole % tuple(values)
        parts = []
        for at, (value, code) in enumerate(zip(values, texts.quality(start, stop), strict=True), offset):
            if value != _NO_NUMBER:
                parts.append(b"%b=%b" % (of.names[at], value))
            if code < FIRST_GOOD:
                parts.append(b"%b=%di" % (of.qualities[at], code))
        return b",".join(parts)

    def _prepare(self, number: int) -> _Template:
        group = self._groups[number]
        of = self._field_sets.get(group.fields)
        if of is None:
            of = self._field_sets[group.fields] = _field_set(group.fields)
        made = _Template(_head(group), of)
        self._templates[number] = made
        return made


def _field_set(fields: tuple[Field, ...]) -> _FieldSet:
    names = tuple(each.name.translate(_KEY_ESCAPES).encode() for each in fields)
    whole = b",".join(name.replace(b"%", b"%%") + b"=%b" for name in names)
    qualities = tuple(quality_field(each.name).translate(_KEY_ESCAPES).encode() for each in fields)
    return _FieldSet(names, whole, qualities)


def _head(group: Group) -> bytes:
    tags = "".join(
        f",{key.translate(_KEY_ESCAPES)}={value.translate(_KEY_ESCAPES)}" for key, value in group.tags
    )
    return f"{group.measurement.translate(_MEASUREMENT_ESCAPES)}{tags} ".encode()
