"""How each endpoint does, as Prometheus text.

A campus has ten thousand endpoints: the library's metric objects would take the better part of a second.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Protocol

import numpy as np

from collectors.health import EndpointHealth, EndpointState
from facility.naming import PREFIX
from facility.point_types import Behaviour
from ingest.exposition_text import Family, family_head, family_of, labels_text

_AT_ONCE = 250
"""Endpoints that are asked how they do before others have their turn."""


class Endpoints(Protocol):
    """Whose endpoints they are."""

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        """How each does, always in the same order while the same ones are there."""
        ...


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One figure of an endpoint."""

    key: str
    text: str
    counts: bool = False


_FIGURES = (
    _Gauge("up", "1 if the endpoint is connected."),
    _Gauge("utilisation_ratio", "Share of its time an endpoint is busy."),
    _Gauge("round_trip_seconds", "Smoothed time from request to reply."),
    _Gauge(
        "predicted_utilisation_ratio",
        "Share of its time an endpoint will be busy, as planned; above 1 it cannot keep the periods.",
    ),
    _Gauge("cycle_seconds", "Time to read each device of an endpoint once."),
    _Gauge("predicted_cycle_seconds", "The same as planned."),
    _Gauge("requests_total", "Requests or messages.", counts=True),
    _Gauge("unacknowledged", "Messages of a broker that are taken and not journalled yet."),
)
"""In the order of ``_numbers``."""


def _numbers(health: EndpointHealth) -> tuple[float, ...]:
    """An endpoint's figures; NaN where it has none."""
    return (
        float(health.state is EndpointState.CONNECTED),
        health.utilisation,
        health.round_trip,
        health.predicted_utilisation,
        health.measured_cycle,
        health.predicted_cycle,
        health.requests,
        health.unacknowledged if health.protocol == "mqtt" else nan,
    )


class EndpointExposition:
    """What ``/metrics`` says of each endpoint."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._names: list[str] = []
        self._families: Sequence[Family] = ()

    def pieces(self) -> Iterator[bytes]:
        """The text, some thousand lines at a time; empty pieces while the endpoints are asked."""
        rows: list[tuple[float, ...]] = []
        names: list[str] = []
        errors: list[str] = []
        for health in self._endpoints.each_endpoint():
            names.append(health.endpoint)
            rows.append(_numbers(health))
            errors += _error_lines(health)
            if len(rows) % _AT_ONCE == 0:
                yield b""
        if names != self._names:
            self._names, self._families = names, _families(names)
        figures = np.array(rows, dtype=np.float64).reshape(-1, len(_FIGURES))
        for at, family in enumerate(self._families):
            yield from family.pieces(figures[:, at])
        if errors:
            head = family_head(f"{PREFIX}endpoint_errors_total", "Errors by class.", Behaviour.COUNTER)
            yield (head + "".join(errors)).encode()


def _families(names: Iterable[str]) -> tuple[Family, ...]:
    labels = [labels_text({"endpoint": name}) for name in names]
    return tuple(
        family_of(
            f"{PREFIX}endpoint_{each.key}",
            each.text,
            labels,
            Behaviour.COUNTER if each.counts else Behaviour.GAUGE,
        )
        for each in _FIGURES
    )


def _error_lines(health: EndpointHealth) -> list[str]:
    return [
        f"{PREFIX}endpoint_errors_total"
        + labels_text({"endpoint": health.endpoint, "class": kind})
        + f"{float(count)}\n"
        for kind, count in health.errors.items()
    ]
