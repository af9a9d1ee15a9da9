"""How far a store has come in the journal: all up to a mark, and spans beyond it that were given first.

A store that was away is given what is new before what it missed; what it missed lies between its mark and
the first span. When that is delivered the span joins the mark.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Mark(NamedTuple):
    """A place in the journal, and how much was written up to it since the journal was begun."""

    position: int = 0
    points: int = 0
    size: int = 0


BEGINNING = Mark()
"""Before the first batch."""


@dataclass(frozen=True, slots=True)
class Span:
    """Everything after ``first``, up to and with ``last``."""

    first: Mark
    last: Mark


@dataclass(frozen=True, slots=True)
class Taken:
    """What one store has of the journal."""

    mark: Mark = BEGINNING
    """Everything up to here."""
    spans: tuple[Span, ...] = ()
    """And these: in order, apart from each other and from the mark."""

    @property
    def end(self) -> Mark:
        """The newest it has."""
        return self.spans[-1].last if self.spans else self.mark

    def has(self, position: int) -> bool:
        """Whether what lies at a position is among it."""
        if position <= self.mark.position:
            return True
        return any(each.first.position < position <= each.last.position for each in self.spans)

    def add(self, first: Mark, last: Mark) -> "Taken":
        """The same and everything after ``first`` up to ``last``."""
        mark = self.mark
        spans: list[Span] = []
        for span in sorted((*self.spans, Span(first, last)), key=lambda each: each.first.position):
            reach = spans[-1].last if spans else mark
            if span.first.position > reach.position:
                spans.append(span)
            elif span.last.position > reach.position and spans:
                spans[-1] = Span(spans[-1].first, span.last)
            elif span.last.position > reach.position:
                mark = span.last
        return Taken(mark, tuple(spans))

    def gaps(self, end: Mark) -> Iterator[Span]:
        """What it lacks up to ``end``, oldest first."""
        first = self.mark
        for span in self.spans:
            if span.first.position >= end.position:
                break
            yield Span(first, span.first)
            first = span.last
        if first.position < end.position:
            yield Span(first, end)


def amount(spans: Iterator[Span]) -> Mark:
    """Positions, points and bytes of spans together."""
    total = Mark()
    for span in spans:
        total = Mark(
            total.position + span.last.position - span.first.position,
            total.points + span.last.points - span.first.points,
            total.size + span.last.size - span.first.size,
        )
    return total


def encode_spans(taken: Taken) -> str:
    """The spans as text."""
    return json.dumps([[*span.first, *span.last] for span in taken.spans])


def decode_spans(mark: Mark, text: str) -> Taken:
    """What a store has with that mark and the spans in a text that ``encode_spans`` wrote."""
    taken = Taken(mark)
    for numbers in json.loads(text):
        taken = taken.add(Mark(*numbers[:3]), Mark(*numbers[3:]))
    return taken
