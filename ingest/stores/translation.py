"""Readings of an earlier site by the point indices of the present one; a point is known by its name."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from ingest.batch import Batch
from ingest.errors import RefusedLine
from ingest.line_protocol import LineEncoder

_REASON = "the site has no such point any more"


@dataclass(frozen=True, slots=True)
class Translated:
    """A batch by the new indices, and what could not be taken along."""

    batch: Batch
    gone: tuple[RefusedLine, ...] = ()


class Translation:
    """From one catalogue to another."""

    def __init__(self, source: Catalogue, target: Catalogue) -> None:
        """Prepared at the first batch; nothing is to be done if both say the same."""
        self.source = source
        """The catalogue that is translated from."""
        self._target = target
        self._same = source is target or source == target
        self._places: NDArray[np.int64] | None = None
        self._lines: LineEncoder | None = None

    def apply(self, batch: Batch) -> Translated:
        """The batch with its readings one by one, but for those of points that are no more."""
        if self._same:
            return Translated(batch)
        readings = batch.expand()
        places = self._table()[readings.points]
        there = places >= 0
        moved = Batch(
            batch.accepted,
            places[there].astype(np.uint32),
            np.ones(int(np.count_nonzero(there)), dtype=np.uint32),
            readings.times[there],
            readings.values[there],
            readings.quality[there],
        )
        if there.all():
            return Translated(moved)
        gone = Batch(
            batch.accepted,
            readings.points[~there],
            np.ones(int(np.count_nonzero(~there)), dtype=np.uint32),
            readings.times[~there],
            readings.values[~there],
            readings.quality[~there],
        )
        return Translated(moved, self._refused(gone))

    def _refused(self, gone: Batch) -> tuple[RefusedLine, ...]:
        if self._lines is None:
            self._lines = LineEncoder(self.source)
        return tuple(RefusedLine(line.body, line.points, _REASON) for line in self._lines.encode(gone))

    def _table(self) -> NDArray[np.int64]:
        """Index in the target of each point of the source; -1 if it is not there."""
        if self._places is None:
            known = {name: at for at, name in enumerate(self._target.series())}
            self._places = np.array([known.get(name, -1) for name in self.source.series()], dtype=np.int64)
        return self._places
