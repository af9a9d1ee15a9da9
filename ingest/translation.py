"""Readings of an earlier site by the point indices of the present one; a point is known by its name."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.catalogue import Catalogue
from facility.moves import NOWHERE, find_moves
from ingest.batch import Batch
from ingest.catalogues import KeptCatalogue
from ingest.errors import RefusedLine
from ingest.line_protocol import LineEncoder

MOST_FORMER = 3
"""States of a site before the present one whose readings are still understood."""

_REASON = "the site has no such point any more"


@dataclass(frozen=True, slots=True)
class Translated:
    """A batch by the new indices, and what could not be taken along by the old ones."""

    batch: Batch
    gone: Batch | None = None


class Translation:
    """From one catalogue to another."""

    def __init__(self, source: Catalogue, target: Catalogue) -> None:
        """Nothing is to be done if both say the same; else the rest is worked out at the first batch."""
        self.source = source
        """What is translated from."""
        self.target = target
        self._same = source is target or source == target

    def apply(self, batch: Batch) -> Translated:
        """The batch with its readings one by one, but for those of points that are no more."""
        if self._same:
            return Translated(batch)
        readings = batch.expand()
        places = self._places[readings.points]
        there = places >= 0

        def chosen(points: NDArray[np.int64], which: NDArray[np.bool_]) -> Batch:
            return Batch(
                batch.accepted,
                points[which].astype(np.uint32),
                np.ones(int(np.count_nonzero(which)), dtype=np.uint32),
                readings.times[which],
                readings.values[which],
                readings.quality[which],
            )

        moved = chosen(places, there)
        return Translated(moved, None if there.all() else chosen(readings.points.astype(np.int64), ~there))

    def refused(self, gone: Batch) -> tuple[RefusedLine, ...]:
        """What could not be taken along, as lines that tell of it."""
        return tuple(RefusedLine(line.body, line.points, _REASON) for line in self._lines.encode(gone))

    @cached_property
    def _lines(self) -> LineEncoder:
        return LineEncoder(self.source)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Index in the target of each point of the source; NOWHERE if it is not there."""
        earlier = find_moves(self.source, self.target).earlier(np.arange(self.target.point_count))
        there = np.flatnonzero(earlier >= 0)
        places = np.full(self.source.point_count, NOWHERE, dtype=np.int64)
        places[earlier[there]] = there
        return places


class KnownCatalogues:
    """The catalogue that counts now, and those before it: who sends readings may be a little behind."""

    def __init__(self, kept: KeptCatalogue) -> None:
        self._kept = kept
        self._former: dict[str, Translation] = {}
        """By the digest of the catalogue it translates from, the latest last."""

    @property
    def digest(self) -> str:
        """Name of the catalogue that counts now."""
        return self._kept.digest

    def change(self, kept: KeptCatalogue) -> None:
        """Another one counts from now on."""
        if kept.digest == self._kept.digest:
            return
        sources = {name: each.source for name, each in self._former.items()}
        sources[self._kept.digest] = self._kept.catalogue
        sources.pop(kept.digest, None)
        latest = list(sources.items())[-MOST_FORMER:]
        self._former = {name: Translation(source, kept.catalogue) for name, source in latest}
        self._kept = kept

    def knows(self, digest: str) -> bool:
        """Whether readings that count over a catalogue of that name are understood."""
        return digest == self._kept.digest or digest in self._former

    def translate(self, digest: str, batch: Batch) -> Batch:
        """The batch by the catalogue that counts now, without readings of points that are no more.

        Raises:
            KeyError: no catalogue of that name is known.
        """
        return batch if digest == self._kept.digest else self._former[digest].apply(batch).batch
