"""What one run is to be."""

from dataclasses import dataclass
from pathlib import Path

PRESETS = {1_000: "campus-1k", 10_000: "campus-10k", 100_000: "campus-100k", 1_000_000: "campus"}
"""Generated sites, by how many points they have in round numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run: a site, how often it is read, what else goes on, and for how long it is measured."""

    points: int
    """One of ``PRESETS``."""
    period: float = 10.0
    """Seconds between two readings of a device."""
    dead: float = 0.0
    """Share of the devices that never answer."""
    store: bool = False
    """Whether VictoriaMetrics takes everything beside the embedded history."""
    scrape: float = 0.0
    """Seconds between two scrapes of /metrics while CPU is measured; 0: none then."""
    workers: int = 0
    """Processes that collect, as ``dcops run --workers`` takes them; 0 leaves it out."""
    seconds: float = 60.0
    """Length of the window in which nobody asks: CPU, polls and ticks are measured in it."""
    asked: float = 60.0
    """Length of the window behind it, in which registers change and the bench asks until they are shown."""
    base_port: int = 26_000
    """Port of the simulated devices."""
    folder: Path
    """For the site, data and logs; emptied first."""

    @property
    def name(self) -> str:
        """Its column in the table."""
        extras = [
            f"{self.points:,} points",
            f"{self.period:g} s",
            f"{self.dead:.0%} dead" if self.dead else "",
            "VictoriaMetrics" if self.store else "",
            f"scrape {self.scrape:g} s" if self.scrape else "",
            f"{self.workers} workers" if self.workers else "",
        ]
        return ", ".join(each for each in extras if each)

    @property
    def probes(self) -> int:
        """Devices that change at known times: they are read like all others, so a small site has fewer."""
        return {1_000: 4, 10_000: 10}.get(self.points, 20)
