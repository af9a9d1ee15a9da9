"""Prometheus' text format with all but the numbers written beforehand.

A template is text whose lines each want one number. Filling it takes some 60 ns a line: the numbers are
written all at once, in the shortest form that reads back as the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import orjson
from numpy.typing import NDArray

from facility.point_types import Behaviour

MOST_LINES = 4000
"""Lines that are filled in at once, and kept while their numbers stay the same."""

Floats = NDArray[np.float64]

_NUMBER = "%b"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escaped(text: str) -> str:
    """A label's value as it is written between quotes."""
    return text.translate(_ESCAPES)


def labels_text(labels: Mapping[str, str]) -> str:
    """A label set and the blank before the number."""
    return "{" + ",".join([f'{name}="{escaped(value)}"' for name, value in labels.items()]) + "} "


def family_head(name: str, text: str, behaviour: Behaviour = Behaviour.GAUGE) -> str:
    """The two lines before the samples of a metric family."""
    kind = "counter" if behaviour is Behaviour.COUNTER else "gauge"
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def template_text(text: str) -> str:
    """Text as it stands in a template."""
    return text.replace("%", "%%")


def template_line(text: str) -> str:
    """A line of a template, without its end: the text and, behind it, the number it wants."""
    return template_text(text) + _NUMBER


def filled(template: bytes, numbers: Floats) -> bytes:
    """The lines of a template with their numbers, without those whose number is none (NaN or infinite)."""
    there = np.isfinite(numbers)
    if not there.all():
        numbers = numbers[there]
        lines = compress(template.split(b"\n"), there.tolist())
        template = b"".join([line + b"\n" for line in lines])
    if not len(numbers):
        return b""
    written = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)
    return template % tuple(written[1:-1].split(b","))


@dataclass(slots=True)
class FamilyDraft:
    """One metric family while it is put together."""

    name: str
    help: str
    behaviour: Behaviour = Behaviour.GAUGE
    factor: float = 1.0
    """What a number is multiplied with to be in Prometheus' base unit."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """Of the template, by the level they are of."""
    places: dict[str, list[int]] = field(default_factory=dict)
    """Where each line's number is found, likewise."""

    def add(self, labels: str, place: int, level: str = "") -> None:
        """One sample: its labels, and where its number will be."""
        self.lines.setdefault(level, []).append(template_line(self.name + labels))
        self.places.setdefault(level, []).append(place)

    def finish(self) -> "Family":
        """The family, ready to be filled."""
        return Family(family_head(self.name, self.help, self.behaviour), self.factor, tuple(self._parts()))

    def _parts(self) -> Iterator["_Part"]:
        for level, lines in self.lines.items():
            places = np.array(self.places[level], dtype=np.int64)
            for at in range(0, len(lines), MOST_LINES):
                part = slice(at, at + MOST_LINES)
                yield _Part(level, "".join([f"{line}\n" for line in lines[part]]).encode(), places[part])


@dataclass(slots=True)
class _Part:
    """Some lines of a family, all of one level.

    Half of what is told is the same from scrape to scrape (coverage, quality, what was planned): while the
    numbers are, so is the text, which is kept.
    """

    level: str
    template: bytes
    """One object however many lines there are."""
    places: NDArray[np.int64]
    _numbers: bytes | None = None
    """Of the text that is kept."""
    _text: bytes = b""

    def filled(self, numbers: Floats) -> bytes:
        """The lines with their numbers, one each."""
        wanted = numbers.tobytes()
        if wanted != self._numbers:
            self._text = filled(self.template, numbers)
            self._numbers = wanted
        return self._text


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family, complete but for its numbers."""

    head: str
    factor: float
    parts: tuple[_Part, ...]

    def pieces(self, numbers: Floats, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        """The family's text, some thousand lines at a time; nothing if no number is one.

        Args:
            numbers: of all lines, found by their places; NaN leaves a line out.
            levels: those whose lines are wanted; all if None.
        """
        head = self.head.encode()
        for part in self.parts:
            if levels is not None and part.level not in levels:
                continue
            text = part.filled(numbers[part.places] * self.factor)
            if text:
                yield head + text if head else text
                head = b""


def family_of(name: str, text: str, labels: Sequence[str], behaviour: Behaviour = Behaviour.GAUGE) -> Family:
    """A family whose numbers come in the order of its label sets, each as ``labels_text`` writes it."""
    places, parts = np.arange(len(labels), dtype=np.int64), []
    for at in range(0, len(labels), MOST_LINES):
        part = slice(at, at + MOST_LINES)
        # All at once, for there are thousands; no label holds a line's end as such.
        lines = template_text("\n".join(labels[part])).replace("\n", f"{_NUMBER}\n{name}")
        parts.append(_Part("", f"{name}{lines}{_NUMBER}\n".encode(), places[part]))
    return Family(family_head(name, text, behaviour), 1.0, tuple(parts))
