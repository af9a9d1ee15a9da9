"""How many endpoints do, in columns.

A campus has ten thousand: whoever tells of all of them needs no object for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from math import nan

import numpy as np
from numpy.typing import NDArray

from collectors.health import EndpointHealth, EndpointState

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFigures:
    """What ``EndpointHealth`` says of endpoints and brokers, each figure a column; NaN where it has none."""

    names: tuple[str, ...]
    """Of the endpoints, in the order of all columns."""
    connected: Floats
    """1 if it is, else 0."""
    utilisation: Floats
    round_trip: Floats
    """Seconds."""
    predicted_utilisation: Floats
    cycle: Floats
    """Seconds, measured."""
    predicted_cycle: Floats
    """Seconds."""
    requests: Floats
    unacknowledged: Floats
    """Of brokers only."""
    errors: Mapping[str, Mapping[str, int]]
    """How often what went wrong, by endpoint and class; those left out where nothing did."""


_COLUMNS = tuple(each.name for each in fields(EndpointFigures) if each.name not in {"names", "errors"})


def figures_of(healths: Sequence[EndpointHealth]) -> EndpointFigures:
    """The figures of endpoints or brokers, one by one known."""
    return EndpointFigures(
        names=tuple([each.endpoint for each in healths]),
        connected=np.array([each.state is EndpointState.CONNECTED for each in healths], np.float64),
        utilisation=np.array([each.utilisation for each in healths], np.float64),
        round_trip=np.array([each.round_trip for each in healths], np.float64),
        predicted_utilisation=np.array([each.predicted_utilisation for each in healths], np.float64),
        cycle=np.array([each.measured_cycle for each in healths], np.float64),
        predicted_cycle=np.array([each.predicted_cycle for each in healths], np.float64),
        requests=np.array([each.requests for each in healths], np.float64),
        unacknowledged=np.array(
            [each.unacknowledged if each.protocol == "mqtt" else nan for each in healths], np.float64
        ),
        errors={each.endpoint: each.errors for each in healths if each.errors},
    )


def together(parts: Sequence[EndpointFigures]) -> EndpointFigures:
    """The figures of several, one after the other."""
    none = np.empty(0)
    columns = {name: np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in _COLUMNS}
    return EndpointFigures(
        names=tuple(chain.from_iterable(part.names for part in parts)),
        errors={endpoint: counts for part in parts for endpoint, counts in part.errors.items()},
        **columns,
    )
