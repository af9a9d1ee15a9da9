"""How each endpoint does, as Prometheus text.

A campus has ten thousand endpoints: the library's metric objects would take the better part of a second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from collectors.figures import EndpointFigures, together
from facility.naming import PREFIX
from facility.point_types import Behaviour
from ingest.exposition_text import Family, Floats, family_of, labels_text

_DIGITS = 6
"""Behind the point, of what is smoothed or a share: microseconds, and more than they are worth."""


class Endpoints(Protocol):
    """Whose endpoints they are."""

    def each_figures(self) -> Iterator[EndpointFigures]:
        """How each does, some at once, always in the same order while the same ones are there."""
        ...


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure of an endpoint."""

    key: str
    text: str
    column: Callable[[EndpointFigures], Floats]
    counts: bool = False


_FIGURES = (
    _Figure("up", "1 if the endpoint is connected.", lambda all_: all_.connected),
    _Figure("utilisation_ratio", "Share of its time an endpoint is busy.", lambda all_: all_.utilisation),
    _Figure("round_trip_seconds", "Smoothed time from request to reply.", lambda all_: all_.round_trip),
    _Figure(
        "predicted_utilisation_ratio",
        "Share of its time an endpoint will be busy, as planned; above 1 it cannot keep the periods.",
        lambda all_: all_.predicted_utilisation,
    ),
    _Figure("cycle_seconds", "Time to read each device of an endpoint once.", lambda all_: all_.cycle),
    _Figure("predicted_cycle_seconds", "The same as planned.", lambda all_: all_.predicted_cycle),
    _Figure("requests_total", "Requests or messages.", lambda all_: all_.requests, counts=True),
    _Figure(
        "unacknowledged",
        "Messages of a broker that are taken and not journalled yet.",
        lambda all_: all_.unacknowledged,
    ),
)


class EndpointExposition:
    """What ``/metrics`` says of each endpoint. Several may read it at once."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Its first text is made at once: with it all that later ones have in common."""
        self._endpoints = endpoints
        self._families = _Families(())
        self._errors = _ErrorFamily()
        for _ in self.pieces():
            pass

    def pieces(self) -> Iterator[bytes]:
        """The text, some thousand lines at a time; empty pieces while the endpoints are asked."""
        parts = []
        for part in self._endpoints.each_figures():
            parts.append(part)
            yield b""
        found = together(parts)
        if found.names != self._families.names:
            self._families = _Families(found.names)
        families = self._families
        yield b""
        for figure in _FIGURES:
            yield from families.of(figure).pieces(np.round(figure.column(found), _DIGITS))
        yield from self._errors.pieces(found)


class _Families:
    """The families of some endpoints, each made when it is first told of."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._labels = [labels_text({"endpoint": name}) for name in names]
        self._made: dict[str, Family] = {}

    def of(self, figure: _Figure) -> Family:
        family = self._made.get(figure.key)
        if family is None:
            behaviour = Behaviour.COUNTER if figure.counts else Behaviour.GAUGE
            name = f"{PREFIX}endpoint_{figure.key}"
            family = self._made[figure.key] = family_of(name, figure.text, self._labels, behaviour)
        return family


class _ErrorFamily:
    """What went wrong at endpoints, by class. Lines are made anew only when there are other ones."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], str] = {}
        """By endpoint and class, in the order of the lines."""
        self._family = self._made()

    def pieces(self, found: EndpointFigures) -> Iterator[bytes]:
        """The text; nothing if nothing went wrong."""
        counts = {
            (endpoint, kind): count
            for endpoint, kinds in found.errors.items()
            for kind, count in kinds.items()
        }
        if list(counts) != list(self._labels):
            known = self._labels
            self._labels = {
                key: known.get(key) or labels_text({"endpoint": key[0], "class": key[1]}) for key in counts
            }
            self._family = self._made()
        yield from self._family.pieces(np.array(list(counts.values()), np.float64))

    def _made(self) -> Family:
        name = f"{PREFIX}endpoint_errors_total"
        return family_of(name, "Errors by class.", list(self._labels.values()), Behaviour.COUNTER)
