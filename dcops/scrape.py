"""What Prometheus is told: the site, its endpoints, and the pipeline itself."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from dcops.cpu_stages import CpuStages
from dcops.endpoint_metrics import EndpointExposition
from dcops.live_site import LiveSite
from dcops.pipeline_text import pipeline_pieces
from dcops.shared_text import SharedText
from facility.clock import Clock

EXPOSITION = "exposition"
"""The stage its CPU time counts for."""


class Scrape:
    """The text of both paths, in pieces of some thousand lines; the loop may turn between two."""

    def __init__(
        self,
        *,
        live: LiveSite,
        endpoints: EndpointExposition,
        pipeline: CollectorRegistry,
        clock: Clock,
        cpu: CpuStages,
    ) -> None:
        self._site = live.exposition
        self._points = live.points
        self._endpoints = endpoints
        self._pipeline = pipeline
        self._image = live.image
        self._clock = clock
        self._cpu = cpu
        self._shared: dict[frozenset[str] | None, SharedText] = {}
        """The last overview of each choice of levels."""

    def overview(self, levels: frozenset[str] | None = None) -> Iterator[bytes]:
        """Spaces, key figures, health of devices and endpoints, the pipeline; spaces of some levels only.

        Who asks while one is being made that was begun within the second is told the same.
        """
        last = self._shared.get(levels)
        if last is not None and last.is_open:
            return last.read()
        if last is not None:
            last.close()
        text = self._shared[levels] = SharedText(self._cpu.steps(EXPOSITION, self._overview(levels)))
        return text.read()

    def points(self, devices: NDArray[np.int64] | None = None) -> Iterator[bytes]:
        """Single points of devices, given by where they are among the site's devices; all if None."""
        return self._cpu.steps(EXPOSITION, self._points.pieces(self._image, devices))

    def _overview(self, levels: frozenset[str] | None) -> Iterator[bytes]:
        yield from self._site.pieces(self._image, self._clock.now(), levels)
        yield from self._endpoints.pieces()
        yield from pipeline_pieces(self._pipeline)
