"""How all Modbus endpoints of a plan do: one by one, and in columns of some at once.

A campus has ten thousand. What is planned of them is worked out once, in a tenth of a second; what they do
now is looked up in some ten ms.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from collectors.figures import EndpointFigures, Floats
from collectors.health import EndpointHealth
from collectors.modbus.census import cycles_of, figures_and_errors_of
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint
from collectors.modbus.prediction import Prediction, measured_cycle, predict

AT_ONCE = 1000
"""Endpoints whose figures come together: in a ms, when first asked for in ten."""


class EndpointPlan:
    """The endpoints of a plan with the devices behind each. Nothing is worked out before it is asked for."""

    def __init__(self, endpoints: Sequence[Endpoint], readers: Sequence[DeviceReader]) -> None:
        self._endpoints = tuple(endpoints)
        self._readers = tuple(readers)
        self._parts: tuple[_Part, ...] = ()

    def each_health(self) -> Iterator[EndpointHealth]:
        """How each does, one by one."""
        for part in self._divided():
            yield from part.each_health()

    def each_figures(self) -> Iterator[EndpointFigures]:
        """How all do, some at once, each as of the moment it is asked."""
        for part in self._divided():
            yield part.figures()

    def _divided(self) -> tuple["_Part", ...]:
        if not self._parts:
            behind: dict[str, list[DeviceReader]] = {}
            for reader in self._readers:
                behind.setdefault(reader.binding.endpoint, []).append(reader)
            every = [(endpoint, behind.get(endpoint.config.id, [])) for endpoint in self._endpoints]
            self._parts = tuple(_Part(every[at : at + AT_ONCE]) for at in range(0, len(every), AT_ONCE))
        return self._parts


class _Part:
    """Some endpoints, each with the devices behind it."""

    def __init__(self, endpoints: Sequence[tuple[Endpoint, list[DeviceReader]]]) -> None:
        self._endpoints = tuple(endpoints)
        self._predictions: dict[str, Prediction] = {}
        """By endpoint, as they are asked for."""
        self._columns: _Columns | None = None

    def each_health(self) -> Iterator[EndpointHealth]:
        for endpoint, readers in self._endpoints:
            cycle = measured_cycle(endpoint.config, [reader.cycle for reader in readers])
            yield endpoint.health(self._prediction(endpoint, readers), cycle)

    def figures(self) -> EndpointFigures:
        """As of now."""
        if self._columns is None:
            self._columns = self._lay_out()
        columns = self._columns
        row, errors = figures_and_errors_of(columns.endpoints, monotonic())
        connected, utilisation, round_trip, requests = np.array(row, np.float64).reshape(-1, 4).T.copy()
        return EndpointFigures(
            names=columns.names,
            connected=connected,
            utilisation=utilisation,
            round_trip=round_trip,
            predicted_utilisation=columns.predicted_utilisation,
            cycle=self._cycles(columns),
            predicted_cycle=columns.predicted_cycle,
            requests=requests,
            unacknowledged=columns.unacknowledged,
            errors=errors,
        )

    def _cycles(self, columns: "_Columns") -> Floats:
        """The measured cycle of each, as ``measured_cycle`` works it out."""
        cycles = np.array(cycles_of(columns.readers), np.float64)
        known = ~np.isnan(cycles)
        owners, count = columns.owners[known], len(self._endpoints)
        devices = np.bincount(owners, minlength=count)
        seconds = np.bincount(owners, cycles[known], minlength=count)
        return np.where(devices > 0, seconds / np.maximum(1, np.minimum(devices, columns.lanes)), math.nan)

    def _lay_out(self) -> "_Columns":
        configs = [endpoint.config for endpoint, _ in self._endpoints]
        predictions = [self._prediction(*each) for each in self._endpoints]
        owners = [place for place, (_, readers) in enumerate(self._endpoints) for _ in readers]
        return _Columns(
            endpoints=tuple([endpoint for endpoint, _ in self._endpoints]),
            readers=tuple([reader for _, readers in self._endpoints for reader in readers]),
            names=tuple([config.id for config in configs]),
            owners=np.array(owners, np.intp),
            lanes=np.array([config.connections * config.in_flight for config in configs], np.intp),
            predicted_cycle=np.array([each.cycle for each in predictions], np.float64),
            predicted_utilisation=np.array([each.utilisation for each in predictions], np.float64),
            unacknowledged=np.full(len(configs), math.nan),
        )

    def _prediction(self, endpoint: Endpoint, readers: Sequence[DeviceReader]) -> Prediction:
        found = self._predictions.get(endpoint.config.id)
        if found is None:
            found = predict(endpoint.config, [reader.planned for reader in readers])
            self._predictions[endpoint.config.id] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What of the figures stays the same while the plan does, and of whom they are."""

    endpoints: tuple[Endpoint, ...]
    readers: tuple[DeviceReader, ...]
    """Those behind the first endpoint, then those behind the next."""
    names: tuple[str, ...]
    owners: NDArray[np.intp]
    """Of each device, the place of its endpoint."""
    lanes: NDArray[np.intp]
    """Devices that can be read at once, if there are as many."""
    predicted_cycle: Floats
    predicted_utilisation: Floats
    unacknowledged: Floats
